#include "board/config_section.hpp"
#include "core/base/json_text.hpp"

#include <charconv>
#include <cmath>

namespace mqboard::board {
namespace {

const toml::table* subtable(const toml::table* table, std::string_view key) {
  const toml::node* node = table ? table->get(key) : nullptr;
  return node ? node->as_table() : nullptr;
}

void append_padded(std::string& out, int value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))), '0');
  out += digits;
}

void append_date(std::string& out, const toml::date& date) {
  append_padded(out, date.year, 4), out += '-';
  append_padded(out, date.month, 2), out += '-';
  append_padded(out, date.day, 2);
}

void append_time(std::string& out, const toml::time& time) {
  append_padded(out, time.hour, 2), out += ':';
  append_padded(out, time.minute, 2), out += ':';
  append_padded(out, time.second, 2);
}

class JsonWriter {
 public:
  JsonWriter(Reporter& reporter, std::string& out) : reporter_(reporter), out_(out) {}

  // `over`: the table of secrets.toml whose keys replace those of `table`. Either may be null.
  void table(const std::string& name, const toml::table* table, const toml::table* over) {
    bool first = true;
    out_ += '{';
    const auto member = [&](std::string_view key, Found value, const toml::table* value_over) {
      if (!std::exchange(first, false)) out_ += ',';
      append_json_string(out_, key);
      out_ += ':';
      const std::string inner = concat(name, ".", key);
      if (const auto* nested = value.node->as_table()) return this->table(inner, nested, value_over);
      node(inner, value);
    };
    if (table) {
      for (const auto& [key, value] : *table) {
        const toml::node* replacement = over ? over->get(key.str()) : nullptr;
        if (replacement && !(replacement->is_table() && value.is_table())) continue;
        member(key.str(), {&value, false}, replacement ? replacement->as_table() : nullptr);
      }
    }
    if (over) {
      for (const auto& [key, value] : *over) {
        const bool merged = value.is_table() && subtable(table, key.str()) != nullptr;
        if (!merged) member(key.str(), {&value, true}, nullptr);
      }
    }
    out_ += '}';
  }

 private:
  void node(const std::string& name, Found found) {
    if (const auto* text = found.node->as_string()) return append_json_string(out_, text->get());
    if (const auto* number = found.node->as_integer()) return append(out_, number->get());
    if (const auto* flag = found.node->as_boolean()) return append(out_, flag->get() ? "true" : "false");
    if (const auto* real = found.node->as_floating_point()) return floating_point(name, found, real->get());
    if (const auto* list = found.node->as_array()) return array(name, *list, found.secret);
    if (const auto* nested = found.node->as_table()) return table(name, nested, nullptr);
    date(*found.node);
  }

  void array(const std::string& name, const toml::array& list, bool secret) {
    out_ += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i != 0) out_ += ',';
      node(concat(name, "[", i, "]"), {&list[i], secret});
    }
    out_ += ']';
  }

  void floating_point(const std::string& name, Found found, double value) {
    if (!std::isfinite(value)) return reporter_.error(found, name, "must be a finite number");
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    const std::string_view written(digits, static_cast<std::size_t>(end - digits));
    out_ += written;
    if (written.find_first_of(".e") == std::string_view::npos) out_ += ".0";
  }

  void date(const toml::node& node) {
    out_ += '"';
    if (const auto* day = node.as_date()) append_date(out_, day->get());
    if (const auto* time = node.as_time()) append_time(out_, time->get());
    if (const auto* both = node.as_date_time()) {
      append_date(out_, both->get().date), out_ += 'T';
      append_time(out_, both->get().time);
    }
    out_ += '"';
  }

  Reporter& reporter_;
  std::string& out_;
};

void collect(const toml::node& node, std::vector<std::string>& into) {
  if (const auto* text = node.as_string()) {
    if (text->get().size() >= kShortestSecret) into.push_back(text->get());
  } else if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) collect(value, into);
  } else if (const auto* list = node.as_array()) {
    for (const auto& value : *list) collect(value, into);
  }
}

}  // namespace

void Reporter::add(Diagnostic::Kind kind, Found at, std::string_view key, std::string_view what) {
  std::string text(at.secret ? source_.secrets_name : source_.board_name);
  if (at.node) append(text, concat(":", at.node->source().begin.line));
  diagnostics_.push_back({kind, concat(text, ": ", key, ": ", what)});
  failed_ = failed_ || kind == Diagnostic::Kind::error;
}

void Reporter::parse_failure(const toml::parse_error& error, bool secret) {
  const auto& at = error.source().begin;
  // The parser quotes what it stumbled over: not from a file of secrets.
  const std::string_view what = secret ? std::string_view("not valid TOML here") : error.description();
  diagnostics_.push_back({Diagnostic::Kind::error, concat(secret ? source_.secrets_name : source_.board_name,
                                                          ":", at.line, ":", at.column, ": ", what)});
  failed_ = true;
}

Section Section::table(std::string_view key) {
  const Found found = find(key);
  if (found && !found.node->is_table()) reporter_.error(found, full(key), "must be a table");
  return {reporter_, full(key), subtable(board_, key), subtable(secrets_, key)};
}

Found Section::find(std::string_view key) {
  used_.emplace(key);
  if (const toml::node* node = secrets_ ? secrets_->get(key) : nullptr) return {node, true};
  if (const toml::node* node = board_ ? board_->get(key) : nullptr) return {node, false};
  return {};
}

void Section::text(std::string_view key, std::string& value) {
  const Found found = find(key);
  if (!found) return;
  const auto* written = found.node->as_string();
  if (!written) return reporter_.error(found, full(key), "must be a string: put it in quotes");
  if (written->get().find('\0') != std::string::npos)
    return reporter_.error(found, full(key), "contains a NUL");
  value = written->get();
}

void Section::text(std::string_view key, std::optional<std::string>& value) {
  if (!find(key)) return;
  std::string written;
  text(key, written);
  value = std::move(written);
}

void Section::texts(std::string_view key, std::vector<std::string>& values) {
  const Found found = find(key);
  if (!found) return;
  values.clear();
  if (const auto* one = found.node->as_string()) return values.push_back(one->get());
  const auto* list = found.node->as_array();
  if (!list) return reporter_.error(found, full(key), "must be a string or a list of strings");
  for (const auto& item : *list) {
    const auto* text = item.as_string();
    if (!text) return reporter_.error({&item, found.secret}, full(key), "must be a list of strings");
    values.push_back(text->get());
  }
}

void Section::boolean(std::string_view key, bool& value) {
  const Found found = find(key);
  if (!found) return;
  const auto* flag = found.node->as_boolean();
  if (!flag) return reporter_.error(found, full(key), "must be true or false");
  value = flag->get();
}

void Section::level(std::string_view key, int& value) {
  const Found found = find(key);
  if (!found) return;
  std::optional<int> parsed;
  if (const auto* written = found.node->as_string()) parsed = parse_level(written->get());
  if (const auto* number = found.node->as_integer(); number && number->get() >= 0 && number->get() <= 50) {
    parsed = static_cast<int>(number->get());
  }
  if (!parsed) {
    return reporter_.error(found, full(key),
                           "not a level: one of \"DEBUG\", \"INFO\", \"WARNING\", \"ERROR\", \"CRITICAL\"");
  }
  value = *parsed;
}

void Section::finish() {
  for (const bool secret : {false, true}) {
    const toml::table* table = secret ? secrets_ : board_;
    if (!table) continue;
    for (const auto& [key, value] : *table) {
      if (used_.contains(key.str())) continue;
      reporter_.warning({&value, secret}, full(key.str()),
                        "unknown key, ignored: see docs/BOARD.md for those there are");
    }
  }
}

void Section::each_key(const std::function<void(std::string_view key)>& visit) const {
  for (const toml::table* table : {board_, secrets_}) {
    if (!table) continue;
    for (const auto& [key, value] : *table) visit(key.str());
  }
}

std::string to_json(Reporter& reporter, const std::string& name, const toml::table* board,
                    const toml::table* secrets) {
  std::string out;
  JsonWriter(reporter, out).table(name, board, secrets);
  return out;
}

void collect_strings(const toml::table& table, std::vector<std::string>& into) { collect(table, into); }

}  // namespace mqboard::board
