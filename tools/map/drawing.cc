#include "tools/map/drawing.h"

#include <algorithm>

#include "tools/shown.h"

namespace lockfast::tools {
namespace {

std::vector<cell_run> runs_of(const run_lengths& states) {
  std::vector<cell_run> runs;
  for (const auto& [state, count] : states) runs.push_back({&look_of(state), count});
  return runs;
}

std::string counted(std::uint64_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

strip of_region(const region_drawing& region) {
  strip one;
  one.title = region.family + " " + region.kind + ": " + counted(region.places, "place") + " of " +
              counted(region.place_pages, "page") + ", " + counted(region.guards, "guard page") +
              (region.guarded_by.empty() ? "" : " by " + region.guarded_by) +
              (region.address ? ", at " + *region.address : std::string());
  one.runs = runs_of(region.states);
  return one;
}

strip of_slab(const slab_drawing& slab) {
  return {"slab: slots of " + size_text(slab.capacity) + " in " + counted(slab.pages, "page") + ", " + slab.backing,
          guarding::whole_strip, runs_of(slab.states)};
}

// One strip as lines of the screen's width.
std::string strip_text(const strip& one, const terminal& screen) {
  constexpr std::uint64_t most_of_a_run = 48;
  constexpr std::size_t indent = 4;
  std::string text(indent, ' ');
  std::size_t column = indent;
  const auto put = [&](const std::string& piece, colour with) {
    if (column + piece.size() > screen.width()) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
    }
    text += screen.painted(with, piece);
    column += piece.size();
  };
  const std::string guard = one.guards == guarding::each_cell ? "|" : "";
  put("|", colour::bold);
  for (const cell_run& run : one.runs) {
    const std::uint64_t drawn = run.count > most_of_a_run ? 4 : run.count;
    for (std::uint64_t at = 0; at < drawn; ++at) {
      put(std::string(1, run.look->letter), run.look->paint);
      if (!guard.empty()) put(guard, colour::bold);
    }
    if (drawn < run.count) {
      put("+" + std::to_string(run.count - drawn), run.look->paint);
      if (!guard.empty()) put(guard, colour::bold);
    }
  }
  if (guard.empty()) put("|", colour::bold);
  return text + "\n";
}

bool occurs(const std::vector<drawing>& drawings, const state_look& look) {
  return std::any_of(drawings.begin(), drawings.end(), [&](const drawing& one) {
    return std::any_of(one.strips.begin(), one.strips.end(), [&](const strip& part) {
      return std::any_of(part.runs.begin(), part.runs.end(), [&](const cell_run& run) { return run.look == &look; });
    });
  });
}

std::string legend(const std::vector<drawing>& drawings, const terminal& screen) {
  constexpr std::size_t gap = 3;
  const std::string guard = "| guard";
  std::string text = screen.painted(colour::bold, guard.substr(0, 1)) + guard.substr(1);
  std::size_t column = guard.size();
  for (const state_look& look : looks) {
    if (!occurs(drawings, look)) continue;
    const std::string words = std::string(" ") + look.meaning;
    column += gap + 1 + words.size();
    const bool fits = column <= screen.width();
    if (!fits) column = 1 + words.size();
    text += (fits ? std::string(gap, ' ') : "\n") + screen.painted(look.paint, std::string(1, look.letter)) + words;
  }
  return text;
}

}  // namespace

const state_look& look_of(const std::string& state) {
  const auto found = std::find_if(looks.begin(), looks.end(), [&](const state_look& one) { return one.name == state; });
  return found == looks.end() ? looks.back() : *found;
}

std::vector<drawing> draw(const std::vector<process_report>& reports) {
  std::vector<drawing> drawings;
  for (const process_report& report : reports) {
    if (report.regions.empty()) continue;
    drawing one{"process " + std::to_string(report.process) + ", pages of " + size_text(report.page_size), {}};
    for (const region_drawing& region : report.regions) {
      one.strips.push_back(of_region(region));
      for (const slab_drawing& slab : region.slabs) one.strips.push_back(of_slab(slab));
    }
    drawings.push_back(std::move(one));
  }
  return drawings;
}

std::string as_text(const std::vector<drawing>& drawings, const terminal& screen) {
  std::string text;
  for (const drawing& one : drawings) {
    text += screen.painted(colour::bold, one.title) + "\n";
    for (const strip& part : one.strips) text += "\n  " + shown(part.title) + "\n" + strip_text(part, screen);
    text += "\n";
  }
  return text + legend(drawings, screen) + "\n";
}

}  // namespace lockfast::tools
