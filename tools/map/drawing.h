// drawing.h - a report as strips of cells, for a terminal or a picture.
//
//   |h|h|s|.|.|     an isolated region: a cell is a place, between guards
//   |##-#------|    a slab: a cell is a slot, between the guards of the slab
#ifndef TOOLS_MAP_DRAWING_H
#define TOOLS_MAP_DRAWING_H

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/report.h"
#include "tools/terminal.h"

namespace lockfast::tools {

struct state_look {
  const char* name;  // as in the report
  char letter;
  colour paint;
  const char* meaning;
};

// What a report can say of a place or a slot; the last one stands for a word that is not known.
constexpr std::array<state_look, 11> looks = {{
    {"hidden", 'h', colour::green, "secret, hidden"},
    {"locked", 'l', colour::blue, "secret, locked"},
    {"unlocked", 'u', colour::red, "secret, unlocked"},
    {"sealed", 's', colour::magenta, "secret, sealed"},
    {"live", '#', colour::green, "slot with a secret"},
    {"free", '-', colour::faint, "slot, free"},
    {"resting", 'r', colour::yellow, "resting after free"},
    {"busy", 'b', colour::cyan, "in a call"},
    {"absent", 'a', colour::faint, "not in this process"},
    {"unused", '.', colour::faint, "no pages"},
    {"?", '?', colour::plain, "not known"},
}};

const state_look& look_of(const std::string& state);

enum class guarding { each_cell, whole_strip };

// Neighbouring cells of one state. Of a long run only the first cells are drawn: `count` says how many there are.
struct cell_run {
  const state_look* look;
  std::uint64_t count;
};

struct strip {
  std::string title;
  guarding guards = guarding::each_cell;
  std::vector<cell_run> runs;
};

struct drawing {
  std::string title;
  std::vector<strip> strips;
};

// A drawing for each process that reported regions.
std::vector<drawing> draw(const std::vector<process_report>& reports);

std::string as_text(const std::vector<drawing>& drawings, const terminal& screen);

// A page of its own, for light and dark screens.
std::string as_svg(const std::vector<drawing>& drawings);

}  // namespace lockfast::tools

#endif
