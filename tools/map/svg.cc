#include <algorithm>
#include <string>

#include "tools/map/drawing.h"
#include "tools/picture.h"

namespace lockfast::tools {
namespace {

// Units of the picture.
constexpr std::size_t width = 960, margin = 24, cell = 14, guard = 3, line = 20;
constexpr std::uint64_t most_of_a_run = 32;

std::string class_of(const state_look& look) { return look.name[0] == '?' ? "unknown" : look.name; }

class picture {
 public:
  void text(const std::string& kind, const std::string& words) {
    y_ += line;
    body_ += "<text class=\"" + kind + "\" x=\"" + std::to_string(margin) + "\" y=\"" + std::to_string(y_) + "\">" +
             xml_text(words) + "</text>\n";
    y_ += line / 3;
  }

  void strip_of(const strip& one) {
    text("name", one.title);
    x_ = margin;
    bar();
    for (const cell_run& run : one.runs) {
      const std::uint64_t drawn = std::min(run.count, most_of_a_run);
      for (std::uint64_t at = 0; at < drawn; ++at) {
        square(*run.look);
        if (one.guards == guarding::each_cell) bar();
      }
      if (drawn < run.count) note("+" + std::to_string(run.count - drawn));
    }
    if (one.guards == guarding::whole_strip) bar();
    y_ += cell + line / 2;
  }

  void legend() {
    y_ += line / 2;
    x_ = margin;
    bar();
    note("guard");
    for (const state_look& look : looks) {
      if (class_of(look) == "unknown") continue;
      room(cell + 160);
      square(look);
      note(look.meaning);
    }
    y_ += cell + margin;
  }

  std::string whole() const {
    const std::string size = "0 0 " + std::to_string(width) + " " + std::to_string(y_);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"" + size +
           "\" role=\"img\" aria-label=\"Map of Lockfast's pools\">\n" + style +
           "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n" + body_ + "</svg>\n";
  }

 private:
  static constexpr const char* style =
      "<style>\n"
      "  svg { --ground: #ffffff; --ink: #1b1f24; --guard: #1b1f24; --empty: #e4e7eb; --edge: #b4bac2;\n"
      "        --hidden: #1a7f4b; --locked: #1f6feb; --unlocked: #cf222e; --sealed: #8250df; --resting: #d9a514; --busy: #1b96a8 }\n"
      "  @media (prefers-color-scheme: dark) {\n"
      "    svg { --ground: #14181d; --ink: #e2e7ee; --guard: #e2e7ee; --empty: #262d35; --edge: #46505c;\n"
      "          --hidden: #3fb97a; --locked: #5b9bff; --unlocked: #ff6b6b; --sealed: #b08cff; --resting: #e3b341; --busy: #4cc4d6 } }\n"
      "  .ground { fill: var(--ground) } .bar { fill: var(--guard) } rect { shape-rendering: crispEdges }\n"
      "  text { fill: var(--ink); font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 16px }\n"
      "  .hidden, .live { fill: var(--hidden) } .locked { fill: var(--locked) } .unlocked { fill: var(--unlocked) }\n"
      "  .sealed { fill: var(--sealed) } .resting { fill: var(--resting) } .busy { fill: var(--busy) }\n"
      "  .unused, .free, .absent, .unknown { fill: var(--empty); stroke: var(--edge) } .absent { stroke-dasharray: 2 }\n"
      "  .free { fill: var(--ground) }\n"
      "</style>\n";

  // Goes to the next row where so much does not fit this one.
  void room(std::size_t wanted) {
    if (x_ + wanted <= width - margin) return;
    x_ = margin;
    y_ += cell + 4;
  }
  void bar() {
    body_ += "<rect class=\"bar\" x=\"" + std::to_string(x_) + "\" y=\"" + std::to_string(y_) + "\" width=\"" +
             std::to_string(guard) + "\" height=\"" + std::to_string(cell) + "\"/>\n";
    x_ += guard + 1;
  }
  void square(const state_look& look) {
    room(cell + guard + 2);
    body_ += "<rect class=\"" + class_of(look) + "\" x=\"" + std::to_string(x_) + "\" y=\"" + std::to_string(y_) +
             "\" width=\"" + std::to_string(cell - 2) + "\" height=\"" + std::to_string(cell) + "\"/>\n";
    x_ += cell - 1;
  }
  void note(const std::string& words) {
    constexpr std::size_t of_a_letter = 8, gap = 6;
    room(gap + words.size() * of_a_letter);
    body_ += "<text x=\"" + std::to_string(x_ + gap) + "\" y=\"" + std::to_string(y_ + cell - 3) + "\">" + xml_text(words) +
             "</text>\n";
    x_ += 2 * gap + words.size() * of_a_letter;
  }

  std::size_t x_ = margin, y_ = margin / 2;
  std::string body_;
};

}  // namespace

std::string as_svg(const std::vector<drawing>& drawings) {
  picture one;
  for (const drawing& process : drawings) {
    one.text("title", process.title);
    for (const strip& part : process.strips) one.strip_of(part);
  }
  one.legend();
  return one.whole();
}

}  // namespace lockfast::tools
