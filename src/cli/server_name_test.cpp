#include "cli/server_name.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

TEST(ServerName, PlainHost_SaysNothingElse) {
  const auto server = parse_server("broker.example");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->host, "broker.example");
  EXPECT_FALSE(server->port || server->scheme || server->username);
}

TEST(ServerName, HostAndPort) {
  const auto server = parse_server("10.0.0.1:1884");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->host, "10.0.0.1");
  EXPECT_EQ(server->port, 1884);
}

TEST(ServerName, Ipv6_BareIsAHostAndBracketsTakeAPort) {
  const auto bare = parse_server("fe80::1");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->host, "fe80::1");
  EXPECT_FALSE(bare->port);
  const auto bracketed = parse_server("[::1]:1884");
  ASSERT_TRUE(bracketed);
  EXPECT_EQ(bracketed->host, "::1");
  EXPECT_EQ(bracketed->port, 1884);
  const auto without_port = parse_server("[::1]");
  ASSERT_TRUE(without_port);
  EXPECT_EQ(without_port->host, "::1");
}

TEST(ServerName, Url_CarriesSchemePortAndCredentials) {
  const auto server = parse_server("mqtts://me:p%40ss@broker.example:8884");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->scheme, mqtt::Scheme::tls);
  EXPECT_EQ(server->host, "broker.example");
  EXPECT_EQ(server->port, 8884);
  EXPECT_EQ(server->username, "me");
  EXPECT_EQ(server->password, "p@ss");
}

TEST(ServerName, WebSocketUrl_KeepsItsTarget) {
  const auto server = parse_server("wss://broker.example/mqtt?x=1");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->scheme, mqtt::Scheme::secure_websocket);
  EXPECT_EQ(server->target, "/mqtt?x=1");
}

TEST(ServerName, Nonsense_IsAUsageFailureThatQuotesIt) {
  for (const char* text : {"", ":1883", "host:", "host:0", "host:65536", "host:12x", "[::1", "[::1]x", "a b",
                           "u@host", "http://broker.example", "mqtt://"}) {
    const auto server = parse_server(text);
    ASSERT_FALSE(server) << text;
    EXPECT_EQ(server.error().status, ExitStatus::usage);
  }
}

}  // namespace
}  // namespace mqboard::cli
