// What MQTT 5.0 adds to the session.
#include <gtest/gtest.h>

#include "core/mqtt/testing/conversation.hpp"

namespace mqboard::mqtt {
namespace {

using namespace std::chrono_literals;
using testing::Conversation;
using testing::Lines;

constexpr QoS q0 = QoS::at_most_once, q1 = QoS::at_least_once, q2 = QoS::exactly_once;
constexpr SessionConfig kV5{.version = ProtocolVersion::v5};
const ConnectOptions kResume{.clean_start = false, .client_id = "c", .session_expiry_s = 100};

SessionConfig with(void (*change)(SessionConfig&)) {
  SessionConfig config = kV5;
  change(config);
  return config;
}

TEST(SessionV5, Connect_TellsTheSessionsOwnLimits) {
  Conversation talk{kV5, {.receive_window = 10, .topic_aliases_in = 4}};
  const Properties extra = Properties{}.user_property("k", "v");
  talk.connect(
      {.client_id = "c", .properties = extra, .session_expiry_s = 100, .maximum_packet_bytes = 5000});
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"CONNECT v5 clean 'c' keep=60 {11=100 21=10 27=5000 22=4 26=k:'v'}"}));
}

TEST(SessionV5, Connect_RefusesPropertiesOfTheSession) {
  Conversation talk{kV5};
  const Properties reserved = Properties{}.number(PropertyId::receive_maximum, 5);
  EXPECT_EQ(talk.session->connect({.client_id = "c", .properties = reserved}, talk.now).error(),
            SessionError::properties_invalid);
  const Properties foreign = Properties{}.number(PropertyId::topic_alias, 5);
  EXPECT_EQ(talk.session->connect({.client_id = "c", .properties = foreign}, talk.now).error(),
            SessionError::properties_invalid);
}

TEST(SessionV5, Connack_GrantsAreObeyed) {
  Conversation talk{kV5};
  const Properties granted = Properties{}
                                 .number(PropertyId::receive_maximum, 1)
                                 .number(PropertyId::maximum_qos, 1)
                                 .number(PropertyId::retain_available, 0)
                                 .number(PropertyId::maximum_packet_size, 40)
                                 .number(PropertyId::server_keep_alive, 7)
                                 .number(PropertyId::wildcard_subscription_available, 0)
                                 .number(PropertyId::shared_subscription_available, 0)
                                 .number(PropertyId::subscription_identifier_available, 0)
                                 .text(PropertyId::assigned_client_identifier, "given");
  talk.open({}, false, granted);
  EXPECT_EQ(talk.events().size(), 1u);
  const Negotiated& negotiated = talk.session->negotiated();
  EXPECT_EQ(negotiated.keep_alive_s, 7);
  EXPECT_EQ(negotiated.receive_maximum, 1);
  EXPECT_EQ(talk.publish("a", "x", q2), "not supported by the server");
  EXPECT_EQ(talk.publish("a", "x", q0, {.retain = true}), "not supported by the server");
  EXPECT_EQ(talk.publish("a", std::string(40, 'x')), "too large");
  const Subscription wild[] = {{.filter = "a/#"}};
  const Subscription shared[] = {{.filter = "$share/g/a"}};
  const Subscription plain[] = {{.filter = "a"}};
  const Properties identified = Properties{}.number(PropertyId::subscription_identifier, 1);
  EXPECT_EQ(talk.session->subscribe(wild, {}, talk.now).error(), SessionError::not_supported);
  EXPECT_EQ(talk.session->subscribe(shared, {}, talk.now).error(), SessionError::not_supported);
  EXPECT_EQ(talk.session->subscribe(plain, identified, talk.now).error(), SessionError::not_supported);
  EXPECT_EQ(talk.publish("a", "1", q1), "1");
  EXPECT_EQ(talk.publish("a", "2", q1), "2");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a '1'"}));
}

TEST(SessionV5, ReceiveMaximumOnResume_ThrottlesWhatIsResent) {
  Conversation talk{kV5};
  talk.open(kResume);
  talk.events();
  for (const char* text : {"1", "2", "3"}) talk.publish("a", text, q1);
  talk.publish("a", "4", q2);
  talk.sent_packets();
  talk.lose();
  const Properties granted = Properties{}.number(PropertyId::receive_maximum, 2);
  talk.open(kResume, true, granted);
  talk.events();
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 dup a '1'", "PUBLISH id=2 qos1 dup a '2'"}));
  talk.say(Puback{1});
  talk.events();
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=3 qos1 dup a '3'"}));
  talk.say(Puback{2});
  talk.say(Puback{3});
  talk.events();
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=4 qos2 dup a '4'"}));
}

TEST(SessionV5, QueuedMessageTheServerCannotTake_Fails) {
  Conversation talk{kV5};
  talk.publish("a", std::string(100, 'x'), q1);
  talk.publish("a", "ok", q1);
  talk.publish("a", "two", q2);
  const Properties granted =
      Properties{}.number(PropertyId::maximum_packet_size, 50).number(PropertyId::maximum_qos, 1);
  talk.open({.client_id = "c", .pipeline = false}, false, granted);
  EXPECT_EQ(talk.events(), (Lines{"connected {27=50 24=1}", "failed 1 larger than the server accepts",
                                  "failed 3 not supported by the server"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=2 qos1 a 'ok'"}));
}

TEST(SessionV5, RecordOfAFailedMessageStays_NothingFollowsTheDisconnect) {
  testing::MemoryPersistence store;
  Conversation talk{
      with([](SessionConfig& config) { config.offline_qos0 = OfflineQos0::queue; }), {}, &store};
  talk.publish("a", std::string(100, 'x'), q1);
  talk.publish("a", "behind", q0);
  store.failing = true;
  const Properties granted = Properties{}.number(PropertyId::maximum_packet_size, 50);
  talk.open({.client_id = "c", .pipeline = false}, false, granted);
  EXPECT_EQ(talk.events(), (Lines{"connected {27=50}", "failed 1 larger than the server accepts",
                                  "closed, persistence failed implementation specific error"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT implementation specific error"}));
}

TEST(SessionV5, PipelinedPublishes_KeepToTheirOwnWindow) {
  Conversation talk{with([](SessionConfig& config) { config.pipeline_window = 1; })};
  talk.connect();
  talk.publish("a", "1", q1);
  talk.publish("a", "2", q1);
  EXPECT_EQ(talk.sent_packets(), (Lines{"CONNECT v5 clean 'c' keep=60 {21=100}", "PUBLISH id=1 qos1 a '1'"}));
  talk.say(Connack{});
  talk.events();
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=2 qos1 a '2'"}));
}

TEST(SessionV5, ReasonCodesAndPropertiesReachTheApplication) {
  Conversation talk{kV5};
  talk.open();
  talk.events();
  talk.publish("a", "1", q1);
  talk.publish("a", "2", q2);
  talk.publish("a", "3", q2);
  talk.sent_packets();
  const Properties why = Properties{}.text(PropertyId::reason_string, "why");
  talk.say(Puback{1, ReasonCode::no_matching_subscribers, why});
  talk.say(Pubrec{2, ReasonCode::quota_exceeded, {}});
  talk.say(Pubrec{3});
  EXPECT_EQ(talk.events(),
            (Lines{"published 1 no matching subscribers {1f='why'}", "published 2 quota exceeded"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREL id=3"}));
  talk.say(Pubcomp{3, ReasonCode::packet_identifier_not_found, {}});
  EXPECT_EQ(talk.events(), (Lines{"published 3"}));
}

TEST(SessionV5, UnknownIdentifiers_AreAnsweredWithNotFound) {
  Conversation talk{kV5};
  talk.open();
  talk.events();
  talk.say(Pubrec{9});
  talk.say(Pubrel{8});
  EXPECT_EQ(talk.events(), Lines{});
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBREL id=9 packet identifier not found", "PUBCOMP id=8 packet identifier not found"}));
}

TEST(SessionV5, ServerExceedsReceiveMaximum_IsDisconnected) {
  for (const QoS qos : {q1, q2}) {
    Conversation talk{with([](SessionConfig& config) { config.acknowledge = AckMode::manual; }),
                      {.receive_window = 2}};
    talk.open();
    talk.events();
    for (std::uint16_t id = 1; id <= 3; ++id) talk.say(Publish{.qos = qos, .topic = "t", .packet_id = id});
    const Lines events = talk.events();
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[2],
              "closed, protocol violation by the server receive maximum exceeded, receive maximum exceeded");
    EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT receive maximum exceeded"}));
  }
}

TEST(SessionV5, InboundQos2_CountsUntilPubcomp) {
  Conversation talk{kV5, {.receive_window = 1}};
  talk.open();
  talk.events();
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 1});
  talk.events();
  talk.say(Pubrel{1});
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 2});
  EXPECT_EQ(talk.events(), (Lines{"message t '' qos2"}));
  talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 3});
  EXPECT_EQ(talk.events().size(), 1u);
  EXPECT_FALSE(talk.session->connected());
}

TEST(SessionV5, RefusedMessage_IsAcknowledgedWithTheReason) {
  Conversation talk{with([](SessionConfig& config) { config.acknowledge = AckMode::manual; })};
  talk.open();
  talk.events();
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 1});
  talk.events();
  EXPECT_TRUE(talk.session->acknowledge(talk.last_ack, ReasonCode::quota_exceeded, talk.now));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREC id=1 quota exceeded"}));
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 1, .payload = as_bytes("another")});
  EXPECT_EQ(talk.events(), (Lines{"message t 'another' qos2"}));
}

TEST(SessionV5, InboundTopicAlias_IsResolvedAndChecked) {
  Conversation talk{kV5, {.topic_aliases_in = 2, .topic_alias_bytes = 8}};
  talk.open();
  talk.events();
  const Properties one = Properties{}.number(PropertyId::topic_alias, 1);
  talk.say(Publish{.topic = "long/t", .payload = as_bytes("1"), .properties = one});
  talk.say(Publish{.topic = "", .payload = as_bytes("2"), .properties = one});
  EXPECT_EQ(talk.events(), (Lines{"message long/t '1' {23=1}", "message long/t '2' {23=1}"}));
  for (const std::uint32_t bad : {0u, 2u, 3u}) {
    Conversation other{kV5, {.topic_aliases_in = 2}};
    other.open();
    other.events();
    const Properties alias = Properties{}.number(PropertyId::topic_alias, bad);
    other.say(Publish{.topic = bad == 2 ? "" : "t", .properties = alias});
    EXPECT_EQ(other.events(),
              (Lines{"closed, protocol violation by the server topic alias invalid, topic alias invalid"}));
    EXPECT_EQ(other.sent_packets(), (Lines{"DISCONNECT topic alias invalid"}));
  }
}

TEST(SessionV5, OutboundTopicAlias_IsUsedFromTheSecondTimeAndNeverWhenResent) {
  Conversation talk{kV5, {.topic_aliases_out = 5}};
  const Properties granted = Properties{}.number(PropertyId::topic_alias_maximum, 1);
  talk.open(kResume, false, granted);
  talk.events();
  talk.publish("first", "1");
  talk.publish("first", "2", q1);
  talk.publish("other", "3", q1);
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH first '1' {23=1}", "PUBLISH id=1 qos1  '2' {23=1}",
                                        "PUBLISH id=2 qos1 other '3' {23=1}"}));
  talk.lose();
  talk.open(kResume, true, granted);
  talk.events();
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBLISH id=1 qos1 dup first '2'", "PUBLISH id=2 qos1 dup other '3'"}));
  talk.publish("third", "4");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH third '4' {23=1}"}));
}

TEST(SessionV5, OutboundTopicAlias_LeastRecentlyUsedGivesWay) {
  Conversation talk{kV5, {.topic_aliases_out = 2}};
  talk.open({}, false, Properties{}.number(PropertyId::topic_alias_maximum, 9));
  talk.events();
  for (const char* topic : {"a", "b", "a", "c", "a", "b"}) talk.publish(topic, "x");
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBLISH a 'x' {23=1}", "PUBLISH b 'x' {23=2}", "PUBLISH  'x' {23=1}",
                   "PUBLISH c 'x' {23=2}", "PUBLISH  'x' {23=1}", "PUBLISH b 'x' {23=2}"}));
}

TEST(SessionV5, OutboundTopicAlias_NeverMakesAPacketTooLarge) {
  Conversation talk{kV5, {.topic_aliases_out = 2}};
  Properties granted = Properties{}.number(PropertyId::topic_alias_maximum, 9);
  granted.number(PropertyId::maximum_packet_size, 11);
  talk.open({}, false, granted);
  talk.events();
  talk.publish("ab", "1234");    // 11 bytes: no room for the three of an alias
  talk.publish("ab", "12", q1);  // the same with an identifier
  talk.publish("ab", "1");
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBLISH ab '1234'", "PUBLISH id=1 qos1 ab '12'", "PUBLISH ab '1' {23=1}"}));
}

TEST(SessionV5, ServerDisconnect_TellsReasonAndReference) {
  Conversation talk{kV5};
  talk.open();
  talk.events();
  const Properties reference = Properties{}.text(PropertyId::server_reference, "b2");
  talk.say(Disconnect{ReasonCode::use_another_server, reference});
  EXPECT_EQ(talk.events(), (Lines{"closed, disconnected by the server use another server {1c='b2'}"}));
  EXPECT_EQ(talk.sent_packets(), Lines{});
}

TEST(SessionV5, SessionPresentWithoutALocalSession_ClosesUnlessAdopted) {
  Conversation strict{kV5};
  strict.open(kResume, true);
  EXPECT_EQ(strict.events(), (Lines{"closed, server has a session we do not know protocol error"}));
  Conversation adopting{kV5};
  ConnectOptions options = kResume;
  options.adopt_session = true;
  adopting.open(options, true);
  EXPECT_EQ(adopting.events(), (Lines{"connected present"}));
}

TEST(SessionV5, EnhancedAuthentication_InTurns) {
  Conversation talk{kV5};
  const Properties method = Properties{}.text(PropertyId::authentication_method, "m");
  talk.connect({.client_id = "c", .properties = method});
  EXPECT_EQ(talk.publish("a", "x", q1), "1");
  EXPECT_EQ(talk.sent_packets(), (Lines{"CONNECT v5 clean 'c' keep=60 {21=100 15='m'}"}));
  talk.say(Auth{ReasonCode::continue_authentication, method});
  EXPECT_EQ(talk.events(), (Lines{"auth continue authentication {15='m'}"}));
  EXPECT_TRUE(talk.session->authenticate(ReasonCode::continue_authentication, method, talk.now).has_value());
  EXPECT_FALSE(talk.session->authenticate(ReasonCode::continue_authentication, method, talk.now).has_value());
  EXPECT_EQ(talk.sent_packets(), (Lines{"AUTH continue authentication {15='m'}"}));
  talk.say(Connack{.properties = method});
  EXPECT_EQ(talk.events(), (Lines{"connected {15='m'}"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a 'x'"}));
  EXPECT_TRUE(talk.session->authenticate(ReasonCode::reauthenticate, method, talk.now).has_value());
  EXPECT_EQ(talk.sent_packets(), (Lines{"AUTH re-authenticate {15='m'}"}));
  talk.say(Auth{ReasonCode::success, method});
  EXPECT_EQ(talk.events(), (Lines{"auth {15='m'}"}));
}

TEST(SessionV5, AuthOutOfTurnOrWithAnotherMethod_Closes) {
  const Properties method = Properties{}.text(PropertyId::authentication_method, "m");
  const Properties other = Properties{}.text(PropertyId::authentication_method, "n");
  Conversation plain{kV5};
  plain.open();
  plain.events();
  plain.say(Auth{ReasonCode::continue_authentication, method});
  EXPECT_EQ(plain.events().size(), 1u);
  EXPECT_EQ(plain.sent_packets(), (Lines{"DISCONNECT protocol error"}));
  Conversation talk{kV5};
  talk.connect({.client_id = "c", .properties = method});
  talk.say(Auth{ReasonCode::continue_authentication, other});
  EXPECT_EQ(talk.events(),
            (Lines{"closed, protocol violation by the server protocol error, authentication out of turn"}));
}

TEST(SessionV5, AuthTooLargeForTheServer_IsRefused) {
  Conversation talk{kV5};
  const Properties method = Properties{}.text(PropertyId::authentication_method, "m");
  Properties granted = method;
  granted.number(PropertyId::maximum_packet_size, 20);
  talk.open({.client_id = "c", .properties = method}, false, granted);
  talk.events();
  Properties long_words = method;
  long_words.text(PropertyId::reason_string, "a reason of some length");
  Properties long_property = method;
  long_property.user_property("name", "a value of some length");
  for (const Properties& large : {long_words, long_property}) {
    EXPECT_EQ(talk.session->authenticate(ReasonCode::reauthenticate, large, talk.now).error(),
              SessionError::too_large);
  }
  EXPECT_TRUE(talk.session->authenticate(ReasonCode::reauthenticate, method, talk.now).has_value());
}

TEST(SessionV5, Disconnect_CarriesReasonAndProperties) {
  Conversation talk{kV5};
  talk.open(kResume);
  talk.events();
  const Properties expiry = Properties{}.number(PropertyId::session_expiry_interval, 0);
  EXPECT_TRUE(talk.session->disconnect(ReasonCode::disconnect_with_will, expiry, talk.now).has_value());
  EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT disconnect with will message {11=0}"}));
  Conversation ending{kV5};
  ending.open();
  ending.events();
  const Properties later = Properties{}.number(PropertyId::session_expiry_interval, 10);
  EXPECT_EQ(ending.session->disconnect(ReasonCode::success, later, ending.now).error(),
            SessionError::properties_invalid);
}

TEST(SessionV5, SubscriptionOptionsAndIdentifiersArePassedOn) {
  Conversation talk{kV5};
  talk.open();
  talk.events();
  const Subscription filters[] = {{"a/#", q2, true, true, RetainHandling::do_not_send}, {"$share/g/b", q1}};
  const Properties identified = Properties{}.number(PropertyId::subscription_identifier, 200);
  EXPECT_TRUE(talk.session->subscribe(filters, identified, talk.now).has_value());
  EXPECT_EQ(talk.sent_packets(), (Lines{"SUBSCRIBE id=1 a/#:2nr2 $share/g/b:1 {0b=200}"}));
  const std::uint8_t codes[] = {0x02, 0x9E};
  talk.say(Suback{1, {}, codes});
  const std::string_view names[] = {"a/#", "b"};
  EXPECT_EQ(talk.events(), (Lines{"subscribed 1 02 9e"}));
  EXPECT_TRUE(talk.session->unsubscribe(names, {}, talk.now).has_value());
  const std::uint8_t results[] = {0x00, 0x11};
  talk.say(Unsuback{2, {}, results});
  EXPECT_EQ(talk.events(), (Lines{"unsubscribed 2 00 11"}));
}

TEST(SessionV5, PacketBeyondTheAnnouncedMaximum_IsDisconnected) {
  Conversation talk{kV5};
  talk.open({.client_id = "c", .maximum_packet_bytes = 50});
  talk.events();
  talk.say(Publish{.topic = "t", .payload = as_bytes(std::string(60, 'x'))});
  EXPECT_EQ(talk.events(),
            (Lines{"closed, protocol violation by the server packet too large, packet too large"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT packet too large"}));
}

TEST(SessionV5, MissingResponse_SaysSoBeforeClosing) {
  Conversation talk{with([](SessionConfig& config) { config.response_time = 10s; })};
  talk.open({.keep_alive_s = 0, .client_id = "c"});
  talk.events();
  talk.wait(5s);
  EXPECT_EQ(talk.sent_packets(), (Lines{"PINGREQ"}));
  talk.wait(10s);
  EXPECT_EQ(talk.events(), (Lines{"closed, response missing unspecified error"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT unspecified error"}));
}

TEST(SessionV5, ServersSessionExpiry_ReplacesOurs) {
  Conversation talk{kV5};
  talk.open(kResume, false, Properties{}.number(PropertyId::session_expiry_interval, 0));
  talk.events();
  EXPECT_EQ(talk.session->negotiated().session_expiry_s, 0u);
  talk.lose();
  talk.open(kResume, true);  // of a session that has ended there is nothing to be present
  EXPECT_EQ(talk.events(), (Lines{"closed, server has a session we do not know protocol error"}));
}

TEST(SessionV5, ConnackProperties_ReachTheApplication) {
  Conversation talk{kV5};
  const Properties asking = Properties{}
                                .number(PropertyId::request_response_information, 1)
                                .number(PropertyId::request_problem_information, 0);
  talk.connect({.properties = asking});
  EXPECT_EQ(talk.sent_packets(), (Lines{"CONNECT v5 clean 'c' keep=60 {21=100 19=1 17=0}"}));
  talk.say(Connack{.properties = Properties{}
                                     .text(PropertyId::assigned_client_identifier, "given")
                                     .text(PropertyId::response_information, "replies/here")
                                     .view()});
  EXPECT_EQ(talk.events(), (Lines{"connected {12='given' 1a='replies/here'}"}));
}

TEST(SessionV5, PropertiesOfAMessage_KeepOrderAndRepetitions) {
  Conversation talk{kV5};
  talk.open();
  talk.events();
  const Properties pairs =
      Properties{}.user_property("b", "1").user_property("a", "2").user_property("b", "3");
  EXPECT_EQ(talk.publish("t", "x", q0, {.properties = pairs}), "0");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH t 'x' {26=b:'1' 26=a:'2' 26=b:'3'}"}));
  Properties received = pairs;
  received.number(PropertyId::subscription_identifier, 7).number(PropertyId::subscription_identifier, 300);
  talk.say(Publish{.topic = "t", .properties = received});
  EXPECT_EQ(talk.events(), (Lines{"message t '' {26=b:'1' 26=a:'2' 26=b:'3' 0b=7 0b=300}"}));
}

TEST(SessionV5, QueuedRetainedMessage_FailsWhereRetainIsNotAvailable) {
  Conversation talk{kV5};
  talk.publish("a", "x", q1, {.retain = true});
  const Properties granted = Properties{}.number(PropertyId::retain_available, 0);
  talk.open({.client_id = "c", .pipeline = false}, false, granted);
  EXPECT_EQ(talk.events(), (Lines{"connected {25=0}", "failed 1 not supported by the server"}));
  EXPECT_EQ(talk.sent_packets(), Lines{});
}

TEST(SessionV5, AcknowledgementWithAReasonItCannotCarry_IsRefused) {
  Conversation talk{with([](SessionConfig& config) { config.acknowledge = AckMode::manual; })};
  talk.open();
  talk.events();
  for (const QoS qos : {q1, q2}) {
    talk.say(Publish{.qos = qos, .topic = "t", .packet_id = 5});
    talk.events();
    const AckHandle handle = talk.last_ack;
    EXPECT_FALSE(talk.session->acknowledge(handle, ReasonCode::packet_identifier_not_found, talk.now));
    EXPECT_EQ(talk.sent_packets(), Lines{});
    EXPECT_TRUE(talk.session->acknowledge(handle, ReasonCode::no_matching_subscribers, talk.now));
    EXPECT_EQ(talk.sent_packets().size(), 1u);
  }
}

TEST(SessionV5, Violation_IsToldWithItsReason) {
  struct Case {
    std::vector<std::uint8_t> bytes;
    const char* reason;
  };
  const Case cases[] = {
      {{0x30, 0x80, 0x80, 0x80, 0x80, 0x01}, "malformed packet"},  // remaining length of five bytes
      {{0x00, 0x00}, "malformed packet"},                          // packet type 0
      {{0x30, 0x06, 0x00, 0x03, 0xED, 0xA0, 0x80, 0x00}, "malformed packet"},  // surrogate
      {{0x82, 0x00}, "protocol error"},                                        // SUBSCRIBE from a server
      {{0x20, 0x03, 0x00, 0x00, 0x00}, "protocol error"},                      // second CONNACK
      {{0x30, 0x05, 0x00, 0x01, 0x61, 0x80, 0x00}, "malformed packet"},        // property length overlong
      {{0x30, 0x06, 0x00, 0x01, 0x61, 0x02, 0x01, 0x02}, "protocol error"},    // payload format 2
      {{0x30, 0x04, 0x00, 0x01, 0x2B, 0x00}, "topic name invalid"},
      {{0x30, 0x07, 0x00, 0x01, 0x61, 0x03, 0x23, 0x00, 0x01}, "topic alias invalid"},
      {{0x30, 0x3F}, "packet too large"},
  };
  for (const Case& wrong : cases) {
    Conversation talk{kV5};
    talk.open({.client_id = "c", .maximum_packet_bytes = 50});
    talk.events();
    talk.say_bytes(wrong.bytes);
    EXPECT_EQ(talk.events().size(), 1u);
    EXPECT_EQ(talk.sent_packets(), (Lines{"DISCONNECT " + std::string(wrong.reason)}));
  }
}

TEST(SessionV5, IdentifiersOfResumedMessages_AreNotGivenToOthers) {
  Conversation talk{kV5, {.outgoing_messages = 3}};
  talk.open(kResume);
  talk.events();
  talk.publish("a", "1", q1);
  talk.publish("a", "2", q2);
  talk.say(Pubrec{2});
  talk.events();
  talk.lose();
  talk.open(kResume, true);
  talk.events();
  EXPECT_EQ(talk.publish("a", "3", q1), "3");
  talk.say(Puback{3});
  talk.events();
  const Subscription filters[] = {{.filter = "a"}};
  EXPECT_EQ(talk.session->subscribe(filters, {}, talk.now)->packet_id(), 3);
  EXPECT_EQ(talk.publish("a", "4", q1), "no room");
}

}  // namespace
}  // namespace mqboard::mqtt
