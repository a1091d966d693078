#include "board/tls_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mqboard::board {
namespace {

using ::testing::IsEmpty;

struct TlsSession : ::testing::Test {
  std::vector<std::uint8_t> region = std::vector<std::uint8_t>(boot::kRtcBytes);
  boot::RtcMemory rtc{region};
  MqttConfig config;
  const std::vector<std::uint8_t> ticket = {1, 2, 3, 0, 5};

  TlsSession() {
    config.servers = {"mqtts://broker"};
    rtc.format();
  }
};

TEST_F(TlsSession, NothingIsKeptAfterPowerOn) {
  EXPECT_THAT(KeptTlsSession(rtc.session(), config).ticket(), IsEmpty());
}

TEST_F(TlsSession, WhatWasKeptComesBack) {
  KeptTlsSession(rtc.session(), config).keep(ticket);
  EXPECT_EQ(KeptTlsSession(rtc.session(), config).ticket(), ticket);
}

TEST_F(TlsSession, NoneOrOneTooLarge_LeavesTheOldOne) {
  KeptTlsSession(rtc.session(), config).keep(ticket);
  KeptTlsSession(rtc.session(), config).keep({});
  KeptTlsSession(rtc.session(), config).keep(std::vector<std::uint8_t>(boot::kRtcSessionBytes, 7));
  EXPECT_EQ(KeptTlsSession(rtc.session(), config).ticket(), ticket);
}

TEST_F(TlsSession, AnotherConfigurationVerifiesTheBrokerAnew) {
  KeptTlsSession(rtc.session(), config).keep(ticket);
  MqttConfig other = config;
  other.server_name = "elsewhere";
  EXPECT_THAT(KeptTlsSession(rtc.session(), other).ticket(), IsEmpty());
  other = config;
  other.insecure = true;
  EXPECT_THAT(KeptTlsSession(rtc.session(), other).ticket(), IsEmpty());
}

TEST_F(TlsSession, AnotherAuthorityInTheSameFileVerifiesTheBrokerAnew) {
  std::string name = (std::filesystem::temp_directory_path() / "mqb-tls-session-XXXXXX").string();
  ::close(::mkstemp(name.data()));
  config.ca_file = name;
  std::ofstream(name) << "one";
  KeptTlsSession of_one(rtc.session(), config);
  of_one.keep(ticket);
  EXPECT_EQ(KeptTlsSession(rtc.session(), config).ticket(), ticket);
  std::ofstream(name) << "two";
  of_one.keep(ticket);  // it was made with the authority of before
  EXPECT_THAT(KeptTlsSession(rtc.session(), config).ticket(), IsEmpty());
  std::filesystem::remove(name);
}

}  // namespace
}  // namespace mqboard::board
