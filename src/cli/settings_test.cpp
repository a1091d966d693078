#include "cli/settings.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <map>

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

Layer layer(Layer::Kind kind, std::initializer_list<std::pair<Key, std::string>> values) {
  Layer result("kitchen");
  result.kind = kind;
  for (const auto& [key, value] : values) result.set(key, value);
  return result;
}
Layer command(std::initializer_list<std::pair<Key, std::string>> values) {
  return layer(Layer::Kind::command_line, values);
}
Layer environment(std::initializer_list<std::pair<Key, std::string>> values) {
  return layer(Layer::Kind::environment, values);
}
Layer profile(std::initializer_list<std::pair<Key, std::string>> values) {
  return layer(Layer::Kind::profile, values);
}

Result<Settings> settle(std::vector<Layer> layers) { return resolve(layers); }

TEST(Settings, NothingGiven_IsLocalhostWithoutTls) {
  const auto settings = settle({});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.name(), "localhost:1883");
  EXPECT_EQ(settings->broker.scheme, mqtt::Scheme::tcp);
  EXPECT_EQ(settings->timeout, std::chrono::seconds(10));
  EXPECT_EQ(settings->prefix, "");
  EXPECT_FALSE(settings->username || settings->password);
}

TEST(Settings, EveryKey_HasOneRowAndItsOwnEnvironmentVariable) {
  std::map<std::string_view, int> seen;
  for (std::size_t i = 0; i < kKeys; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(key_table()[i].key), i);
    EXPECT_TRUE(key_table()[i].environment.starts_with("MQBOARD_"));
    EXPECT_EQ(++seen[key_table()[i].environment], 1);
  }
}

TEST(Settings, CommandLine_OutranksEnvironment_ThatTheProfile) {
  const auto all =
      settle({command({{Key::timeout, "1"}}), environment({{Key::timeout, "2"}, {Key::prefix, "e/e"}}),
              profile({{Key::timeout, "3"}, {Key::prefix, "p/p"}, {Key::output, "json"}})});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->timeout, std::chrono::seconds(1));
  EXPECT_EQ(all->prefix, "e/e");
  EXPECT_EQ(all->output, Output::json);
}

TEST(Settings, EnvironmentLayer_ReadsEveryVariableAndSkipsEmptyOnes) {
  const std::map<std::string, std::string> variables{{"MQBOARD_SERVER", "x"}, {"MQBOARD_PORT", ""}};
  const Layer found = environment_layer([&](const char* name) -> const char* {
    const auto it = variables.find(name);
    return it == variables.end() ? nullptr : it->second.c_str();
  });
  EXPECT_EQ(found.get(Key::server), "x");
  EXPECT_FALSE(found.get(Key::port));
}

TEST(Settings, Url_ImpliesTlsPortAndLogin) {
  const auto settings = settle({command({{Key::server, "mqtts://me:secret@broker.example"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.scheme, mqtt::Scheme::tls);
  EXPECT_EQ(settings->broker.name(), "broker.example:8883");
  EXPECT_EQ(settings->username, "me");
  EXPECT_EQ(settings->password, "secret");
}

TEST(Settings, Url_IsOutrankedByAnExplicitPortOfTheSameSource) {
  const auto settings = settle({command({{Key::server, "mqtt://h:1"}, {Key::port, "2"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.port, 2);
}

TEST(Settings, Url_OutranksThePortOfALowerSource) {
  const auto settings = settle({command({{Key::server, "mqtt://h"}}), environment({{Key::port, "2"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.effective_port(), 1883);
}

TEST(Settings, PlainHost_TakesThePortOfALowerSource) {
  const auto settings = settle({command({{Key::server, "h"}}), environment({{Key::port, "2"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.name(), "h:2");
}

TEST(Settings, CertificateOptions_ImplyTlsUnlessSaidOtherwise) {
  const auto implied = settle({command({{Key::cafile, "/dev/null"}})});
  ASSERT_TRUE(implied);
  EXPECT_EQ(implied->broker.scheme, mqtt::Scheme::tls);
  EXPECT_EQ(implied->tls.ca_file, "/dev/null");
  const auto refused = settle({command({{Key::cafile, "/dev/null"}, {Key::tls, "false"}})});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->broker.scheme, mqtt::Scheme::tcp);
}

TEST(Settings, Tls_MakesAWebSocketSecure) {
  const auto settings = settle({command({{Key::server, "ws://h/p"}, {Key::tls, "true"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.scheme, mqtt::Scheme::secure_websocket);
  EXPECT_EQ(settings->broker.target, "/p");
}

TEST(Settings, Insecure_TurnsVerificationOff) {
  const auto settings = settle({command({{Key::insecure, "true"}})});
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->tls.verify);
  EXPECT_EQ(settings->broker.scheme, mqtt::Scheme::tls);
}

TEST(Settings, ProfilesPassword_DoesNotTravelToAnotherServer) {
  const auto home = profile(
      {{Key::server, "home"}, {Key::username, "me"}, {Key::password, "secret"}, {Key::prefix, "a/b"}});
  const auto foreign = settle({command({{Key::server, "elsewhere"}}), home});
  ASSERT_TRUE(foreign);
  EXPECT_FALSE(foreign->password || foreign->username);
  EXPECT_EQ(foreign->prefix, "a/b");
  const auto same = settle({command({{Key::server, "home"}}), home});
  ASSERT_TRUE(same);
  EXPECT_EQ(same->password, "secret");
}

TEST(Settings, ProfilesPassword_DoesNotServeAnotherUser) {
  const auto settings =
      settle({command({{Key::username, "other"}}), profile({{Key::username, "me"}, {Key::password, "x"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->username, "other");
  EXPECT_FALSE(settings->password);
}

TEST(Settings, Address_TopicWinsOverPrefixOfTheSameSource_ButNotOfAHigherOne) {
  const auto same = settle({command({{Key::prefix, "a/a"}, {Key::topic, "b/b"}})});
  ASSERT_TRUE(same);
  EXPECT_EQ(same->prefix, "b/b");
  const auto higher = settle({command({{Key::prefix, "a/a"}}), environment({{Key::topic, "b/b"}})});
  ASSERT_TRUE(higher);
  EXPECT_EQ(higher->prefix, "a/a");
}

TEST(Settings, Topic_TakesTheOriginalsExactTopics) {
  for (const char* topic :
       {"esp32/kitchen", "esp32/kitchen/", "esp32/kitchen/mqb", "esp32/kitchen/mqb/", "esp32/kitchen/log"}) {
    const auto settings = settle({command({{Key::topic, topic}})});
    ASSERT_TRUE(settings) << topic;
    EXPECT_EQ(settings->prefix, "esp32/kitchen") << topic;
    EXPECT_EQ(settings->log_topic, "esp32/kitchen/log") << topic;
  }
}

TEST(Settings, TopicWithWildcards_IsForWatchingOnly) {
  const auto boards = settle({command({{Key::topic, "esp32/+"}})});
  ASSERT_TRUE(boards);
  EXPECT_EQ(boards->prefix, "");
  EXPECT_EQ(boards->log_topic, "esp32/+/log");
  const auto all = settle({command({{Key::topic, "esp32/#"}})});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->log_topic, "esp32/#");
}

TEST(Settings, Timeout_TakesFractions) {
  const auto settings = settle({command({{Key::timeout, "0.5"}})});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->timeout, std::chrono::milliseconds(500));
}

TEST(Settings, WrongValues_AreUsageFailuresThatNameTheirSource) {
  struct Case {
    Layer layer;
    const char* origin;
  };
  const Case cases[] = {{command({{Key::port, "70000"}}), "--port"},
                        {environment({{Key::port, "x"}}), "MQBOARD_PORT"},
                        {profile({{Key::timeout, "soon"}}), "timeout in profile 'kitchen'"},
                        {command({{Key::timeout, "-1"}}), "--timeout"},
                        {command({{Key::timeout, "nan"}}), "--timeout"},
                        {environment({{Key::tls, "perhaps"}}), "MQBOARD_TLS"},
                        {command({{Key::output, "xml"}}), "--output"},
                        {command({{Key::server, "a:b:"}, {Key::port, "0"}}), "--port"},
                        {command({{Key::server, "ftp://x"}}), "--server"},
                        {command({{Key::cafile, "/nosuch.pem"}}), "/nosuch.pem"},
                        {command({{Key::password_file, "/nosuch"}}), "/nosuch"},
                        {command({{Key::prefix, "/a"}}), "--prefix"},
                        {command({{Key::key, "/dev/null"}, {Key::tls, "true"}}), "--cert"}};
  for (const Case& wrong : cases) {
    const auto settings = settle({wrong.layer});
    ASSERT_FALSE(settings) << wrong.origin;
    EXPECT_EQ(settings.error().status, ExitStatus::usage);
    EXPECT_NE(settings.error().message.find(wrong.origin), std::string::npos) << settings.error().message;
  }
}

TEST(Settings, PasswordFile_GivesItsFirstLine) {
  std::string path = ::testing::TempDir() + "mqb-password-XXXXXX";
  const int file = ::mkstemp(path.data());
  ASSERT_GE(file, 0);
  ::close(file);
  std::ofstream(path) << "se cret \r\nsecond line\n";
  const auto settings = settle({environment({{Key::password_file, path}})});
  ::unlink(path.c_str());
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->password, "se cret ");
}

TEST(Settings, HigherPasswordFile_OutranksALowerPassword) {
  std::string path = ::testing::TempDir() + "mqb-password-XXXXXX";
  const int file = ::mkstemp(path.data());
  ASSERT_GE(file, 0);
  ASSERT_EQ(::write(file, "upper", 5), 5);
  ::close(file);
  const auto settings =
      settle({command({{Key::password_file, path}}), environment({{Key::password, "lower"}})});
  ::unlink(path.c_str());
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->password, "upper");
}

TEST(Settings, Verbosity_QuietWins) {
  const auto loud = settle({command({{Key::verbose, "2"}})});
  ASSERT_TRUE(loud);
  EXPECT_EQ(loud->verbosity, 2);
  const auto quiet = settle({command({{Key::verbose, "2"}}), environment({{Key::quiet, "1"}})});
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->verbosity, -1);
}

}  // namespace
}  // namespace mqboard::cli
