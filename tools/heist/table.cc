// table.cc - a table where the terminal is wide enough, a list where it is not; then the reasons.
#include <algorithm>
#include <map>

#include "tools/heist/attack.h"
#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

constexpr std::size_t title_width = 17;

colour shade(result is, bool ours) {
  if (is == result::not_tried) return colour::faint;
  if (is == result::held) return ours ? colour::green : colour::plain;
  return ours ? colour::red : colour::yellow;
}

std::string padded(std::string text, std::size_t to) {
  text.resize(std::max(to, text.size()), ' ');
  return text;
}

std::size_t column_width(const subject& of) {
  constexpr std::size_t least = 4, gap = 1;
  return std::max({least, of.title.size(), of.missing.empty() ? of.backing.size() : 0}) + gap;
}

std::string word(result is) { return is == result::not_tried ? "-" : name_of(is); }

std::string full_name(const subject& of) { return of.backing.empty() || of.at_rest ? of.title : of.title + " " + of.backing; }

class table {
 public:
  table(const heist& done, const terminal& screen) : done_(done), screen_(screen) {}

  std::string whole() {
    std::size_t width = title_width, words = 0;
    for (const subject& one : done_.subjects) width += column_width(one);
    for (const row& one : done_.rows) words = std::max(words, one.of.what.size());
    width <= screen_.width() + 1 ? as_table(width + words <= screen_.width()) : as_list();
    reasons();
    sums();
    return text_;
  }

 private:
  void as_table(bool with_words) {
    std::string titles(title_width, ' '), backings(title_width, ' ');
    for (const subject& one : done_.subjects) {
      titles += screen_.painted(one.ours ? colour::bold : colour::plain, padded(one.title, column_width(one)));
      backings += padded(one.missing.empty() ? one.backing : "-", column_width(one));
    }
    line(titles);
    line(screen_.painted(colour::faint, backings));
    for (const row& each : done_.rows) {
      std::string text_of_row = screen_.painted(each.worked ? colour::bold : colour::faint, padded(each.of.title, title_width));
      for (std::size_t at = 0; at < each.outcomes.size(); ++at) {
        const subject& against = done_.subjects[at];
        text_of_row += screen_.painted(shade(each.outcomes[at].is, against.ours),
                                       padded(word(each.outcomes[at].is), column_width(against)));
      }
      line(text_of_row + (with_words ? screen_.painted(colour::faint, each.of.what) : ""));
    }
  }

  // Without the spaces at its end.
  void line(const std::string& words) { text_ += words.substr(0, words.find_last_not_of(' ') + 1) + "\n"; }

  void as_list() {
    for (const row& each : done_.rows) {
      text_ += screen_.painted(colour::bold, each.of.title) + "\n";
      for (std::size_t at = 0; at < each.outcomes.size(); ++at) {
        const subject& against = done_.subjects[at];
        text_ += "  " + padded(full_name(against), title_width + 3) +
                 screen_.painted(shade(each.outcomes[at].is, against.ours), name_of(each.outcomes[at].is)) + "\n";
      }
    }
  }

  // "isolated locked: by /proc/PID/mem", those of one reason together.
  std::string told(const row& of, result is) const {
    std::map<std::string, std::string> who;
    for (std::size_t at = 0; at < of.outcomes.size(); ++at) {
      const subject& against = done_.subjects[at];
      if (of.outcomes[at].is != is || !against.missing.empty() || (is == result::fell && !against.ours)) continue;
      std::string& names = who[of.outcomes[at].how];
      names += (names.empty() ? "" : ", ") + full_name(against);
    }
    std::string text;
    for (const auto& [how, names] : who) {
      if (!text.empty()) text += "; ";
      if (is == result::fell) text.append(names).append(": ");
      text += how;
    }
    return text;
  }

  void reason(colour with, const std::string& name, const std::string& text) {
    text_ += screen_.painted(with, padded(name, title_width)) + screen_.wrapped(text, title_width) + "\n";
  }

  void reasons() {
    text_ += '\n';
    for (const row& each : done_.rows) {
      const std::string lost = told(each, result::fell), untried = told(each, result::not_tried);
      if (lost.empty() && untried.empty()) continue;
      reason(colour::bold, each.of.title, each.of.what);
      if (!lost.empty()) reason(colour::red, "  fell", lost);
      if (!untried.empty()) reason(colour::magenta, "  not tried", untried);
    }
    for (const subject& one : done_.subjects) {
      if (!one.missing.empty()) reason(colour::magenta, full_name(one), "not tried: " + one.missing);
    }
  }

  void sums() {
    text_ += '\n';
    for (std::size_t at = 0; at < done_.subjects.size(); ++at) {
      const auto count = [&](result is) {
        return std::to_string(
            std::count_if(done_.rows.begin(), done_.rows.end(), [&](const row& one) { return one.outcomes[at].is == is; }));
      };
      text_ += padded(full_name(done_.subjects[at]), title_width + 3) + count(result::held) + " held, " + count(result::fell) +
               " fell, " + count(result::not_tried) + " not tried\n";
    }
  }

  const heist& done_;
  const terminal& screen_;
  std::string text_;
};

}  // namespace

std::string as_text(const heist& done, const terminal& screen) { return table(done, screen).whole(); }

}  // namespace lockfast::tools
