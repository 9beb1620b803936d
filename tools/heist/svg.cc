#include <string>

#include "tools/heist/attack.h"
#include "tools/picture.h"

namespace lockfast::tools {
namespace {

// Units of the picture.
constexpr std::size_t margin = 24, title = 400, column = 128, line = 44, gap = 4, head = 128;

std::string number(std::size_t of) { return std::to_string(of); }

std::string text(const char* kind, std::size_t x, std::size_t y, const std::string& words) {
  return std::string("<text class=\"") + kind + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\">" + xml_text(words) +
         "</text>\n";
}

std::string class_of(const outcome& one, const subject& against) {
  if (one.is == result::not_tried) return "none";
  return std::string(name_of(one.is)) + (against.ours ? "" : " other");
}

std::string under(const subject& one) {
  if (!one.missing.empty()) return "not there";
  return one.backing.empty() ? "the control" : one.backing;
}

// Over the columns that are ours.
std::string band(const heist& done, std::size_t first) {
  std::size_t before = 0, count = 0;
  for (const subject& one : done.subjects) ++(one.ours ? count : before);
  const std::size_t x = first + before * column, width = count * column - gap;
  return "<rect class=\"band\" x=\"" + number(x) + "\" y=\"" + number(head - 72) + "\" width=\"" + number(width) +
         "\" height=\"20\" rx=\"5\"/>\n" + text("under", x + width / 2, head - 58, "Lockfast");
}

// Its word, and below it how; all of it where a mouse rests.
std::string cell(std::size_t x, std::size_t y, const outcome& one, const subject& against) {
  constexpr std::size_t fits = 22;
  const bool tried = one.is != result::not_tried;
  std::string made =
      "<g class=\"" + class_of(one, against) + "\"><title>" + xml_text(name_of(one.is) + (": " + one.how)) + "</title>";
  made += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(column - gap) + "\" height=\"" +
          number(line - gap) + "\" rx=\"5\"/>\n";
  const std::size_t middle = x + (column - gap) / 2;
  made += text("word", middle, y + (tried && one.how.size() <= fits ? 17 : 25), name_of(one.is));
  if (tried && one.how.size() <= fits) made += text("how", middle, y + 32, one.how);
  return made + "</g>\n";
}

constexpr const char* style =
    "<style>\n"
    "  svg { --ground: #ffffff; --ink: #1b1f24; --faint: #57606a; --held: #d7f2e0; --held-ink: #0b5a2f;\n"
    "        --fell: #c62a33; --fell-ink: #ffffff; --other: #f3d9da; --other-ink: #8a1720; --none: #eef0f3 }\n"
    "  @media (prefers-color-scheme: dark) {\n"
    "    svg { --ground: #14181d; --ink: #e2e7ee; --faint: #9aa5b1; --held: #173d29; --held-ink: #8fe0ae;\n"
    "          --fell: #d43f48; --fell-ink: #ffffff; --other: #42262a; --other-ink: #f0a3a8; --none: #20262d } }\n"
    "  .ground { fill: var(--ground) } text { fill: var(--ink); font: 13px system-ui, sans-serif }\n"
    "  .title { font-weight: 600; font-size: 20px } .caption, .what { fill: var(--faint); font-size: 12px }\n"
    "  .name { font-weight: 600; font-size: 14px } .head { font-weight: 600; text-anchor: middle }\n"
    "  .under { fill: var(--faint); font-size: 12px; text-anchor: middle } .band { fill: var(--none) }\n"
    "  .word { font-weight: 600; text-anchor: middle } .how { font-size: 10.5px; text-anchor: middle }\n"
    "  .held rect { fill: var(--held) } .held text { fill: var(--held-ink) }\n"
    "  .fell rect { fill: var(--fell) } .fell text { fill: var(--fell-ink) }\n"
    "  .fell.other rect { fill: var(--other) } .fell.other text { fill: var(--other-ink) }\n"
    "  .none rect { fill: var(--none) } .none text { fill: var(--faint); font-weight: 400 }\n"
    "</style>\n";

}  // namespace

std::string as_svg(const heist& done, const std::string& caption) {
  const std::size_t width = 2 * margin + title + done.subjects.size() * column;
  const std::size_t height = head + done.rows.size() * line + 2 * margin;
  std::string made = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) + " " + number(height) +
                     "\" role=\"img\" aria-label=\"Attacks on secrets, and who held\">\n" + style +
                     "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n";
  made += text("title", margin, margin + 16, "lockfast heist") + text("caption", margin, margin + 36, caption);
  std::size_t x = margin + title;
  made += band(done, x);
  for (const subject& one : done.subjects) {
    made += text("head", x + column / 2 - gap / 2, head - 28, one.title);
    made += text("under", x + column / 2 - gap / 2, head - 12, under(one));
    x += column;
  }
  std::size_t y = head;
  for (const row& each : done.rows) {
    made += text("name", margin, y + 17, each.of.title) + text("what", margin, y + 33, each.of.what);
    for (std::size_t at = 0; at < each.outcomes.size(); ++at) {
      made += cell(margin + title + at * column, y, each.outcomes[at], done.subjects[at]);
    }
    y += line;
  }
  made += text(
      "caption", margin, y + margin,
      "malloc is the control: where it holds, the attack itself failed. What Lockfast does not hold stands in bright red.");
  return made + "</svg>\n";
}

}  // namespace lockfast::tools
