// Reading typed values out of TOML tables, with diagnostics that name file, line and key. Private to config.
#pragma once

#include <functional>
#include <set>

// toml++ as a part of this room's configuration only: no exceptions, no formatters.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include <toml++/toml.h>

#include "board/config.hpp"
#include "board/text.hpp"

namespace mqboard::board {

// Where a value was found. A value of secrets.toml is never shown.
struct Found {
  const toml::node* node = nullptr;
  bool secret = false;
  explicit operator bool() const { return node != nullptr; }
};

class Reporter {
 public:
  explicit Reporter(const ConfigSource& source) : source_(source) {}

  void error(Found at, std::string_view key, std::string_view what) {
    add(Diagnostic::Kind::error, at, key, what);
  }
  void warning(Found at, std::string_view key, std::string_view what) {
    add(Diagnostic::Kind::warning, at, key, what);
  }
  void missing(std::string_view key, std::string_view what) {
    diagnostics_.push_back({Diagnostic::Kind::error, concat(source_.board_name, ": ", key, ": ", what)});
    failed_ = true;
  }
  void parse_failure(const toml::parse_error& error, bool secret);

  [[nodiscard]] bool failed() const { return failed_; }
  std::vector<Diagnostic> take() { return std::move(diagnostics_); }

 private:
  void add(Diagnostic::Kind kind, Found at, std::string_view key, std::string_view what);

  const ConfigSource& source_;
  std::vector<Diagnostic> diagnostics_;
  bool failed_ = false;
};

// One table of board.toml and the table of the same name in secrets.toml, whose values win.
class Section {
 public:
  Section(Reporter& reporter, std::string name, const toml::table* board, const toml::table* secrets)
      : reporter_(reporter), name_(std::move(name)), board_(board), secrets_(secrets) {}

  [[nodiscard]] bool present() const { return board_ != nullptr || secrets_ != nullptr; }
  [[nodiscard]] Section table(std::string_view key);
  Found find(std::string_view key);

  void text(std::string_view key, std::string& value);
  void text(std::string_view key, std::optional<std::string>& value);
  void texts(std::string_view key, std::vector<std::string>& values);  // a string or a list of them
  void boolean(std::string_view key, bool& value);
  void level(std::string_view key, int& value);
  // A plain number means seconds.
  template<class Duration>
  void duration(std::string_view key, Duration& value, Duration least, Duration most);
  template<class Integer>
  void bytes(std::string_view key, Integer& value, std::uint64_t least, std::uint64_t most);
  template<class Integer>
  void integer(std::string_view key, Integer& value, std::int64_t least, std::int64_t most);

  // `shown` is put in front in quotes, unless the value is of secrets.toml.
  void error(std::string_view key, std::string_view what, std::string_view shown = {}) {
    const Found found = find(key);
    reporter_.error(found, full(key),
                    shown.empty() || found.secret ? std::string(what) : concat("'", shown, "' is ", what));
  }
  // Reports every key nobody asked for.
  void finish();
  void each_key(const std::function<void(std::string_view key)>& visit) const;
  [[nodiscard]] std::string full(std::string_view key) const {
    return name_.empty() ? std::string(key) : concat(name_, ".", key);
  }

 private:
  Reporter& reporter_;
  std::string name_;
  const toml::table* board_;
  const toml::table* secrets_;
  std::set<std::string, std::less<>> used_;
};

// The tables as one JSON object. What JSON cannot say (nan, inf) is reported.
std::string to_json(Reporter& reporter, const std::string& name, const toml::table* board,
                    const toml::table* secrets);
// Every string of `table`, however deep, at least kShortestSecret long.
inline constexpr std::size_t kShortestSecret = 4;
void collect_strings(const toml::table& table, std::vector<std::string>& into);

template<class Duration>
void Section::duration(std::string_view key, Duration& value, Duration least, Duration most) {
  const Found found = find(key);
  if (!found) return;
  std::optional<std::chrono::milliseconds> parsed;
  if (const auto seconds = found.node->value<double>();
      seconds && found.node->is_number() && *seconds >= 0 && *seconds < 1e9) {
    parsed = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  } else if (const auto* written = found.node->as_string()) {
    parsed = parse_duration(written->get());
  }
  if (!parsed)
    return reporter_.error(found, full(key),
                           "not a duration: write seconds, or \"500ms\", \"30s\", \"5min\"");
  if (*parsed < least || *parsed > most) {
    return reporter_.error(found, full(key),
                           concat("out of range: ",
                                  std::chrono::duration<double>(least).count() < 1
                                      ? concat(std::chrono::milliseconds(least).count(), " ms")
                                      : concat(std::chrono::milliseconds(least).count() / 1000, " s"),
                                  " to ", std::chrono::milliseconds(most).count() / 1000, " s"));
  }
  value = std::chrono::duration_cast<Duration>(*parsed);
}

template<class Integer>
void Section::bytes(std::string_view key, Integer& value, std::uint64_t least, std::uint64_t most) {
  const Found found = find(key);
  if (!found) return;
  std::optional<std::uint64_t> parsed;
  if (const auto* number = found.node->as_integer(); number && number->get() >= 0) {
    parsed = static_cast<std::uint64_t>(number->get());
  } else if (const auto* written = found.node->as_string()) {
    parsed = parse_bytes(written->get());
  }
  if (!parsed) return reporter_.error(found, full(key), "not a size: write bytes, or \"512KB\", \"64MB\"");
  if (*parsed < least || *parsed > most) {
    return reporter_.error(found, full(key), concat("out of range: ", least, " to ", most, " bytes"));
  }
  value = static_cast<Integer>(*parsed);
}

template<class Integer>
void Section::integer(std::string_view key, Integer& value, std::int64_t least, std::int64_t most) {
  const Found found = find(key);
  if (!found) return;
  const auto* number = found.node->as_integer();
  if (!number) return reporter_.error(found, full(key), "must be a whole number");
  if (number->get() < least || number->get() > most) {
    return reporter_.error(found, full(key), concat("out of range: ", least, " to ", most));
  }
  value = static_cast<Integer>(number->get());
}

}  // namespace mqboard::board
