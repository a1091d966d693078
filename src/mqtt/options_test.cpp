#include <gtest/gtest.h>

#include <mqboard/mqtt/options.hpp>

namespace mqboard::mqtt {
namespace {

TEST(Endpoint, UrlNamesSchemeHostAndPort) {
  EXPECT_EQ(Endpoint::parse("mqtt://broker"), (Endpoint{Scheme::tcp, "broker"}));
  EXPECT_EQ(Endpoint::parse("mqtts://broker:1234"), (Endpoint{Scheme::tls, "broker", 1234}));
  EXPECT_EQ(Endpoint::parse("ws://broker/path?x=1"), (Endpoint{Scheme::websocket, "broker", 0, "/path?x=1"}));
  EXPECT_EQ(Endpoint::parse("wss://broker:9443"), (Endpoint{Scheme::secure_websocket, "broker", 9443}));
  EXPECT_EQ(Endpoint::parse("mqtt://[::1]:1884"), (Endpoint{Scheme::tcp, "::1", 1884}));
  EXPECT_EQ(Endpoint::parse("unix:///run/mqtt.sock"), (Endpoint{Scheme::unix_socket, "/run/mqtt.sock"}));
  EXPECT_EQ(Endpoint::parse("mqtt://broker/"), (Endpoint{Scheme::tcp, "broker"}));
}

TEST(Endpoint, MalformedUrlIsRefusedNamingIt) {
  for (const char* url :
       {"", "broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://broker:", "mqtt://broker:0",
        "mqtt://broker:65536", "mqtt://broker:12x", "mqtt://[::1", "mqtt://[::1]x", "mqtt://::1",
        "unix://relative", "mqtt://broker/topic", "mqtt://user@broker"}) {
    const auto parsed = Endpoint::parse(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_TRUE(parsed.error() == Errc::bad_url) << url;
    EXPECT_NE(parsed.error().message().find(url), std::string::npos);
  }
}

TEST(Endpoint, DefaultPortFollowsTheScheme) {
  EXPECT_EQ(Endpoint::parse("mqtt://b")->effective_port(), 1883);
  EXPECT_EQ(Endpoint::parse("mqtts://b")->effective_port(), 8883);
  EXPECT_EQ(Endpoint::parse("ws://b")->effective_port(), 80);
  EXPECT_EQ(Endpoint::parse("wss://b")->effective_port(), 443);
}

TEST(Endpoint, NameShowsHostAndPort) {
  EXPECT_EQ(Endpoint::parse("mqtts://b")->name(), "b:8883");
  EXPECT_EQ(Endpoint::parse("mqtt://[::1]")->name(), "[::1]:1883");
  EXPECT_EQ(Endpoint::parse("unix:///run/x")->name(), "/run/x");
}

TEST(Options, UrlCarriesUserAndPassword) {
  Options options;
  ASSERT_TRUE(options.add_url("mqtt://bob:s%40cret%2F@broker:1884"));
  EXPECT_EQ(options.user_name, "bob");
  EXPECT_EQ(options.password, "s@cret/");
  EXPECT_EQ(options.endpoints, (std::vector{Endpoint{Scheme::tcp, "broker", 1884}}));
}

TEST(Options, UrlWithUserOnlyLeavesThePasswordUnset) {
  Options options;
  ASSERT_TRUE(options.add_url("mqtt://bob@broker"));
  EXPECT_EQ(options.user_name, "bob");
  EXPECT_FALSE(options.password);
}

TEST(Options, UrlWithBrokenPercentEncodingIsRefused) {
  Options options;
  EXPECT_FALSE(options.add_url("mqtt://bo%4:x@broker"));
  EXPECT_FALSE(options.add_url("mqtt://bob:%zz@broker"));
  EXPECT_TRUE(options.endpoints.empty());
}

TEST(Error, MessageIsTheDetailOrTheCodesText) {
  EXPECT_EQ(Error(Errc::timeout).message(), "timed out");
  EXPECT_EQ(Error(Errc::timeout, "publish to a: too slow").message(), "publish to a: too slow");
  EXPECT_EQ(std::error_code(Errc::timeout).category().name(), std::string("mqboard.mqtt"));
}

}  // namespace
}  // namespace mqboard::mqtt
