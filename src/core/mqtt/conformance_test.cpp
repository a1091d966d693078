// Runs the conformance cases of conformance/*.txt and keeps docs/MQTT_CONFORMANCE.md in step with them.
// MQBOARD_UPDATE_DOCS=1 in the environment writes that file instead of comparing it.
//
// Steps of a script (\xNN stands for a byte, "" for nothing):
//   config key=value ...           before anything else: ack=manual, window=N, link=keep_alive, aliases_in=N,
//                                  aliases_out=N
//   connect [resume] [key=value]   keep, id, user, password, will, method
//   open [resume] [present] [...]  connect, CONNACK from the server; the CONNECT sent and the event are
//   checked away publish topic payload qN [retain] [props=hex]      subscribe filter:options ... unsubscribe
//   filter ... disconnect [reason] [props=hex]      authenticate reason method      acknowledge identifier
//   lose                           the transport breaks          wait N         milliseconds pass
//   < hex                          the server says               > text         the client has sent this
//   packet next ! text                         the session reports this next; "nothing" for nothing, a
//   trailing * for anything
// A step ending in "= error" is refused with it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/mqtt/testing/conversation.hpp"

namespace mqboard::mqtt {
namespace {

using testing::Buffer;
using testing::Conversation;
using testing::Lines;

struct Statement {
  std::string id;
  std::string binds;
  std::string summary;
  std::vector<Lines> scripts;
  Lines tests;
  std::string why;
};

Lines words_of(const std::string& line) {
  Lines words;
  std::istringstream stream{line};
  for (std::string word; stream >> word;) words.push_back(word == "\"\"" ? "" : word);
  return words;
}

std::vector<Statement> read_statements(const std::string& name) {
  std::ifstream file{std::string(MQB_SOURCE_DIR) + "/src/core/mqtt/conformance/" + name};
  std::vector<Statement> statements;
  bool new_script = true;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '=') {
      const Lines words = words_of(line);
      statements.push_back({words[1], words[2], "", {}, {}, ""});
      new_script = true;
    } else if (line[0] != ' ') {
      statements.back().summary = line;
    } else if (line.starts_with("  test: ")) {
      statements.back().tests.push_back(line.substr(8));
    } else if (line.starts_with("  why: ")) {
      statements.back().why = line.substr(7);
    } else if (line == "  --") {
      new_script = true;
    } else {
      if (new_script) statements.back().scripts.emplace_back();
      new_script = false;
      statements.back().scripts.back().push_back(line.substr(2));
    }
  }
  return statements;
}

Buffer from_hex(const std::string& hex) {
  Buffer bytes;
  std::string digits;
  for (const char letter : hex) {
    if (letter != ' ') digits += letter;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\x") == 0) {
      plain += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool fits(const std::string& actual, const std::string& expected) {
  if (expected.ends_with("*")) return actual.starts_with(expected.substr(0, expected.size() - 1));
  return actual == expected;
}

class Script {
 public:
  explicit Script(ProtocolVersion version) { config_.version = version; }

  void run(const Lines& steps) {
    const int before = failures();
    for (const std::string& step : steps) {
      SCOPED_TRACE(step);
      const std::size_t equals = step.find(" = ");
      const std::string expected = equals == std::string::npos ? "" : step.substr(equals + 3);
      const Lines words = words_of(unescaped(step.substr(0, equals)));
      const std::string rest = step.size() > 2 ? unescaped(step.substr(2)) : "";
      if (words[0] == "config") {
        configure(words);
        continue;
      }
      if (!talk_) talk_ = std::make_unique<Conversation>(config_, limits_);
      if (words[0] == ">") {
        collect();
        expect_next(packets_, rest);
      } else if (words[0] == "!") {
        collect();
        expect_next(events_, rest);
      } else if (words[0] == "<") {
        talk_->say_bytes(from_hex(rest));
      } else {
        EXPECT_EQ(act(words), expected);
      }
      if (failures() != before) return;
    }
  }

 private:
  void configure(const Lines& words) {
    for (const std::string& word : words) {
      if (word == "ack=manual") config_.acknowledge = AckMode::manual;
      if (word == "link=keep_alive") config_.link_check = LinkCheck::keep_alive;
      if (const auto value = value_of(words, "window")) config_.send_window = number(*value);
      if (const auto value = value_of(words, "aliases_in")) limits_.topic_aliases_in = number(*value);
      if (const auto value = value_of(words, "aliases_out")) limits_.topic_aliases_out = number(*value);
    }
  }

  static int failures() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  }
  static std::uint16_t number(const std::string& text) { return static_cast<std::uint16_t>(std::stoi(text)); }
  static std::optional<std::string> value_of(const Lines& words, const std::string& key) {
    for (const std::string& word : words) {
      if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
    }
    return std::nullopt;
  }
  static bool has(const Lines& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  }

  // Takes everything the session has to say. Order between packets and events is not a subject of the
  // scripts.
  void collect() {
    for (const std::string& event : talk_->events()) events_.push_back(event);
    for (const std::string& packet : talk_->sent_packets()) packets_.push_back(packet);
    for (const std::string& event : talk_->events()) events_.push_back(event);
  }

  static void expect_next(Lines& queue, const std::string& expected) {
    if (expected == "nothing") {
      EXPECT_EQ(queue, Lines{});
    } else if (queue.empty()) {
      ADD_FAILURE() << "nothing came";
    } else {
      EXPECT_TRUE(fits(queue[0], expected)) << queue[0];
      queue.erase(queue.begin());
    }
  }

  // Does what the application does; the error it gets, or nothing.
  std::string act(const Lines& words) {
    const auto error = [](const auto& outcome) {
      return outcome ? std::string() : std::string(describe(outcome.error()));
    };
    Session& session = *talk_->session;
    const Buffer props = from_hex(value_of(words, "props").value_or(""));
    const PropertyView properties{Bytes{props}};
    if (words[0] == "connect") return error(connect(words));
    if (words[0] == "open") {
      const auto outcome = connect(words);
      collect();
      EXPECT_FALSE(packets_.empty());
      packets_.clear();
      talk_->say(Connack{.session_present = has(words, "present")});
      EXPECT_EQ(talk_->event(), has(words, "present") ? "connected present" : "connected");
      return error(outcome);
    }
    if (words[0] == "publish") {
      return error(session.publish({.topic = words[1],
                                    .payload = as_bytes(words[2]),
                                    .qos = static_cast<QoS>(words[3][1] - '0'),
                                    .retain = has(words, "retain"),
                                    .properties = properties},
                                   talk_->now));
    }
    if (words[0] == "subscribe")
      return error(session.subscribe(subscriptions(words), properties, talk_->now));
    if (words[0] == "unsubscribe") {
      const std::vector<std::string_view> filters{words.begin() + 1, words.end()};
      return error(session.unsubscribe(filters, properties, talk_->now));
    }
    if (words[0] == "disconnect") return error(session.disconnect(reason(words), properties, talk_->now));
    if (words[0] == "authenticate") {
      const Properties method = Properties{}.text(PropertyId::authentication_method, words[2]);
      return error(session.authenticate(reason(words), method, talk_->now));
    }
    if (words[0] == "acknowledge") {
      const AckHandle handle{number(words[1]), talk_->last_ack.connection};
      return session.acknowledge(handle, ReasonCode::success, talk_->now) ? "" : "not acknowledged";
    }
    if (words[0] == "lose") return talk_->lose(), "";
    if (words[0] == "wait") return talk_->wait(Millis{std::stoi(words[1])}), "";
    return "unknown step";
  }

  static ReasonCode reason(const Lines& words) {
    return words.size() > 1 ? static_cast<ReasonCode>(from_hex(words[1])[0]) : ReasonCode::success;
  }

  Session::Outcome<void> connect(const Lines& words) {
    const std::string id = value_of(words, "id").value_or("c");
    const auto user = value_of(words, "user");
    const auto password = value_of(words, "password");
    const auto will = value_of(words, "will");
    const auto method = value_of(words, "method");
    Properties properties;
    if (method) properties.text(PropertyId::authentication_method, *method);
    ConnectOptions options{.clean_start = !has(words, "resume"), .client_id = id, .properties = properties};
    if (const auto keep = value_of(words, "keep")) options.keep_alive_s = number(*keep);
    if (user) options.user_name = *user;
    if (password) options.password = as_bytes(*password);
    const auto will_qos = static_cast<QoS>(number(value_of(words, "willqos").value_or("1")));
    if (will) options.will = WillView{*will, as_bytes("gone"), will_qos, true, {}};
    if (has(words, "resume")) options.session_expiry_s = 1000;
    return talk_->session->connect(options, talk_->now);
  }

  // "a/b:1nr2": filter, QoS, no local, retain as published, retain handling
  std::vector<Subscription> subscriptions(const Lines& words) {
    std::vector<Subscription> items;
    names_.assign(words.begin() + 1, words.end());
    for (const std::string& name : names_) {
      const std::size_t colon = name.rfind(':');
      items.push_back({.filter = std::string_view(name).substr(0, colon),
                       .max_qos = static_cast<QoS>(name[colon + 1] - '0'),
                       .no_local = name.find('n', colon) != std::string::npos,
                       .retain_as_published = name.find('r', colon) != std::string::npos});
    }
    return items;
  }

  SessionConfig config_;
  SessionLimits limits_;
  std::unique_ptr<Conversation> talk_;
  Lines packets_;
  Lines events_;
  Lines names_;
};

struct Version {
  ProtocolVersion version;
  const char* title;
  const char* file;
  std::size_t statements;  // that appendix B of the specification lists
};
const Version kVersions[] = {{ProtocolVersion::v5, "MQTT 5.0", "mqtt_5_0.txt", 251},
                             {ProtocolVersion::v3_1_1, "MQTT 3.1.1", "mqtt_3_1_1.txt", 141}};

class Conformance : public ::testing::TestWithParam<Version> {};

TEST_P(Conformance, EveryScriptHolds) {
  int scripts = 0;
  for (const Statement& statement : read_statements(GetParam().file)) {
    for (const Lines& steps : statement.scripts) {
      SCOPED_TRACE(statement.id);
      Script{GetParam().version}.run(steps);
      ++scripts;
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(scripts, 50);
}

// "Suite.Name" where the line begins a test, else "".
std::string test_begun_by(std::string_view line) {
  for (const std::string_view macro : {"TEST(", "TEST_F(", "TEST_P("}) {
    const std::size_t comma = line.find(", ");
    const std::size_t end = line.find(") {");
    if (!line.starts_with(macro) || comma == line.npos || end == line.npos) continue;
    return std::string(line.substr(macro.size(), comma - macro.size())) + "." +
           std::string(line.substr(comma + 2, end - comma - 2));
  }
  return "";
}

// Every test beside the session's and the client's code: transports are the client's business.
std::set<std::string> tests_in_the_sources() {
  std::set<std::string> names;
  for (const std::string room : {"/src/core/mqtt", "/src/mqtt"}) {
    for (const auto& entry : std::filesystem::directory_iterator(MQB_SOURCE_DIR + room)) {
      if (!entry.path().string().ends_with("_test.cpp")) continue;
      std::ifstream source{entry.path()};
      for (std::string line; std::getline(source, line);) names.insert(test_begun_by(line));
    }
  }
  return names;
}

TEST_P(Conformance, EveryStatementThatBindsTheClientIsShownOrExplained) {
  const std::set<std::string> known = tests_in_the_sources();
  std::map<std::string, int> times;
  for (const Statement& statement : read_statements(GetParam().file)) {
    SCOPED_TRACE(statement.id);
    EXPECT_EQ(++times[statement.id], 1);
    EXPECT_FALSE(statement.summary.empty());
    const bool shown = !statement.scripts.empty() || !statement.tests.empty() || !statement.why.empty();
    EXPECT_TRUE(shown || statement.binds == "server");
    for (const std::string& test : statement.tests) EXPECT_TRUE(known.contains(test)) << test;
  }
  EXPECT_EQ(times.size(), GetParam().statements);
}

std::string how(const Statement& statement) {
  std::string text;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  if (statement.scripts.size() == 1) add("script");
  if (statement.scripts.size() > 1) add(std::to_string(statement.scripts.size()) + " scripts");
  for (const std::string& test : statement.tests) add("`" + test + "`");
  if (!statement.why.empty()) add("not testable here: " + statement.why);
  return text.empty() ? "binds the server" : text;
}

TEST(ConformanceDocument, IsUpToDate) {
  std::string document =
      "# Conformance of the MQTT client\n\n"
      "Every numbered normative statement of MQTT 5.0 and 3.1.1, whom it binds, and what shows that the "
      "client keeps it.\n"
      "Written by `conformance_test.cpp` from the cases in `src/core/mqtt/conformance/`, where the scripts "
      "stand.\n"
      "Summaries are ours; the specifications have the exact words.\n";
  for (const Version& version : kVersions) {
    const auto statements = read_statements(version.file);
    document += "\n## " + std::string(version.title) +
                "\n\n| statement | binds | in short | shown by |\n|---|---|---|---|\n";
    for (const Statement& statement : statements) {
      document += "| " + statement.id + " | " + statement.binds + " | " + statement.summary + " | " +
                  how(statement) + " |\n";
    }
  }
  const std::string path = std::string(MQB_SOURCE_DIR) + "/docs/MQTT_CONFORMANCE.md";
  if (std::getenv("MQBOARD_UPDATE_DOCS") != nullptr) std::ofstream{path} << document;
  std::stringstream written;
  written << std::ifstream{path}.rdbuf();
  EXPECT_TRUE(written.str() == document) << "run this test with MQBOARD_UPDATE_DOCS=1";
}

INSTANTIATE_TEST_SUITE_P(Versions, Conformance, ::testing::ValuesIn(kVersions), [](const auto& chosen) {
  return chosen.param.version == ProtocolVersion::v5 ? "v5" : "v3_1_1";
});

}  // namespace
}  // namespace mqboard::mqtt
