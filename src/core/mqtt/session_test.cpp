// The session on MQTT 3.1.1, as conversations with a scripted server.
#include <gtest/gtest.h>

#include "core/mqtt/testing/conversation.hpp"

namespace mqboard::mqtt {
namespace {

using namespace std::chrono_literals;
using testing::Conversation;
using testing::Lines;

constexpr QoS q0 = QoS::at_most_once, q1 = QoS::at_least_once, q2 = QoS::exactly_once;
const ConnectOptions kResume{.clean_start = false, .client_id = "c"};

TEST(Session, Connect_SendsAllItsFields) {
  Conversation talk;
  talk.connect({.clean_start = false,
                .keep_alive_s = 30,
                .client_id = "board",
                .user_name = "u",
                .password = as_bytes("p"),
                .will = WillView{"status", as_bytes("gone"), q1, true, {}}});
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"CONNECT v4 'board' keep=30 user=u password=p will=status:'gone' qos1 retain"}));
  talk.say(Connack{.session_present = false});
  EXPECT_EQ(talk.events(), (Lines{"connected"}));
  EXPECT_TRUE(talk.session->connected());
}

TEST(Session, Refused_ClosesWithTheReason) {
  Conversation talk;
  talk.connect();
  talk.say(Connack{.reason = ReasonCode::not_authorized});
  EXPECT_EQ(talk.events(), (Lines{"closed, connection refused not authorized"}));
  EXPECT_FALSE(talk.session->connected());
  talk.lose();
  talk.open();
  EXPECT_EQ(talk.events(), (Lines{"connected"}));
}

TEST(Session, PublishQos0_GoesOutAndIsDone) {
  Conversation talk;
  talk.open();
  talk.events();
  EXPECT_EQ(talk.publish("a/b", "hello"), "0");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH a/b 'hello'"}));
  EXPECT_EQ(talk.session->outstanding(), 0u);
}

TEST(Session, PublishQos1_IsDoneWithPuback) {
  Conversation talk;
  talk.open();
  talk.events();
  EXPECT_EQ(talk.publish("a", "x", q1), "1");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a 'x'"}));
  talk.say(Puback{1});
  EXPECT_EQ(talk.events(), (Lines{"published 1"}));
  EXPECT_EQ(talk.session->outstanding(), 0u);
}

TEST(Session, PublishAckedTwice_SecondIsIgnored) {
  Conversation talk;
  talk.open();
  talk.publish("a", "x", q1);
  talk.sent_packets();
  talk.say(Puback{1});
  talk.say(Puback{1});
  talk.say(Puback{77});
  EXPECT_EQ(talk.events(), (Lines{"connected", "published 1"}));
}

TEST(Session, PublishQos2_TakesFourSteps) {
  Conversation talk;
  talk.open();
  talk.events();
  EXPECT_EQ(talk.publish("a", "x", q2), "1");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos2 a 'x'"}));
  talk.say(Pubrec{1});
  EXPECT_EQ(talk.events(), (Lines{}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREL id=1"}));
  talk.say(Pubcomp{1});
  EXPECT_EQ(talk.events(), (Lines{"published 1"}));
}

TEST(Session, Pipelining_SendsOperationsRightBehindConnect) {
  Conversation talk;
  talk.connect();
  const Subscription filters[] = {{.filter = "r/#", .max_qos = q1}};
  EXPECT_TRUE(talk.session->subscribe(filters, {}, talk.now).has_value());
  EXPECT_EQ(talk.publish("c", "go", q1), "2");
  EXPECT_EQ(talk.publish("d", "go"), "0");
  EXPECT_EQ(talk.sent_packets(), (Lines{"CONNECT v4 clean 'c' keep=60", "SUBSCRIBE id=1 r/#:1",
                                        "PUBLISH id=2 qos1 c 'go'", "PUBLISH d 'go'"}));
  talk.say(Connack{});
  const std::uint8_t granted[] = {1};
  talk.say(Suback{1, {}, granted});
  talk.say(Puback{2});
  EXPECT_EQ(talk.events(), (Lines{"connected", "subscribed 1 01", "published 2"}));
}

TEST(Session, Resumed_ResendsPubrelThenPublishInOrderWithDup) {
  Conversation talk;
  talk.open(kResume);
  talk.events();
  talk.publish("a", "1", q1);
  talk.publish("a", "2", q2);
  talk.publish("a", "3", q1);
  talk.publish("a", "4", q2);
  talk.sent_packets();
  talk.say(Pubrec{2});
  talk.events();
  talk.sent_packets();
  talk.lose();
  EXPECT_EQ(talk.publish("a", "5", q1), "5");
  talk.connect(kResume);
  EXPECT_EQ(talk.sent_packets(), (Lines{"CONNECT v4 'c' keep=60"}));  // nothing may overtake what is resent
  talk.say(Connack{.session_present = true});
  EXPECT_EQ(talk.events(), (Lines{"connected present"}));
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBREL id=2", "PUBLISH id=1 qos1 dup a '1'", "PUBLISH id=3 qos1 dup a '3'",
                   "PUBLISH id=4 qos2 dup a '4'", "PUBLISH id=5 qos1 a '5'"}));
}

TEST(Session, SessionLost_RepublishesAsNewMessages) {
  Conversation talk;
  talk.open(kResume);
  talk.events();
  talk.publish("a", "1", q1);
  talk.publish("a", "2", q2);
  talk.sent_packets();
  talk.say(Pubrec{2});
  talk.events();
  talk.sent_packets();
  talk.lose();
  talk.open(kResume, false);
  EXPECT_EQ(talk.events(),
            (Lines{"connected", "session lost, republished 1 failed 1", "failed 2 session lost"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a '1'"}));
}

TEST(Session, SessionLost_FailsWhenToldTo) {
  Conversation talk{{.session_lost = SessionLostPolicy::fail}};
  talk.open(kResume);
  talk.events();
  talk.publish("a", "1", q1);
  talk.sent_packets();
  talk.lose();
  talk.publish("a", "new", q1);
  talk.open(kResume, false);
  EXPECT_EQ(talk.events(),
            (Lines{"connected", "session lost, republished 0 failed 1", "failed 1 session lost"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=2 qos1 a 'new'"}));
}

TEST(Session, Window_HoldsBackAndOrderStays) {
  Conversation talk{{.send_window = 2}};
  talk.open();
  talk.events();
  for (const char* text : {"1", "2", "3"}) talk.publish("a", text, q1);
  talk.publish("a", "4");
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a '1'", "PUBLISH id=2 qos1 a '2'"}));
  talk.say(Puback{1});
  EXPECT_EQ(talk.events(), (Lines{"published 1", "published 4"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=3 qos1 a '3'", "PUBLISH a '4'"}));
}

TEST(Session, Received_AcknowledgedByTheNextPoll) {
  for (const bool byte_by_byte : {false, true}) {
    Conversation talk;
    talk.byte_by_byte = byte_by_byte;
    talk.open();
    talk.events();
    talk.say(Publish{.topic = "t", .payload = as_bytes("0")});
    talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 9, .payload = as_bytes("1")});
    talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("2")});
    EXPECT_EQ(talk.events(), (Lines{"message t '0'", "message t '1' qos1", "message t '2' qos2"}));
    EXPECT_EQ(talk.sent_packets(), (Lines{"PUBACK id=9", "PUBREC id=7"}));
    talk.say(Pubrel{7});
    EXPECT_EQ(talk.events(), (Lines{}));
    EXPECT_EQ(talk.sent_packets(), (Lines{"PUBCOMP id=7"}));
  }
}

TEST(Session, InboundQos2_DuplicateIsNotDeliveredEvenAfterReconnect) {
  Conversation talk;
  talk.open(kResume);
  talk.events();
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("2")});
  talk.events();
  talk.say(Publish{.dup = true, .qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("2")});
  EXPECT_EQ(talk.events(), (Lines{}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREC id=7", "PUBREC id=7"}));
  talk.lose();
  talk.open(kResume, true);
  talk.say(Publish{.dup = true, .qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("2")});
  EXPECT_EQ(talk.events(), (Lines{"connected present"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREC id=7"}));
  talk.say(Pubrel{7});
  talk.events();
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBCOMP id=7"}));
  talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("new")});
  EXPECT_EQ(talk.events(), (Lines{"message t 'new' qos2"}));
}

TEST(Session, OnlyAnswersWaiting_AreDeferrable) {
  Conversation talk;
  talk.open();
  talk.events();
  const auto receive = [&talk](QoS qos, std::uint16_t id) {
    talk.say(Publish{.qos = qos, .topic = "t", .packet_id = id, .payload = {}});
    talk.events();
  };
  EXPECT_EQ(talk.session->deferrable_bytes(), 0U);
  receive(q1, 1);
  receive(q2, 2);
  EXPECT_EQ(talk.session->deferrable_bytes(), 8U) << "PUBACK, PUBREC";
  talk.flush(4);
  EXPECT_EQ(talk.session->deferrable_bytes(), 4U);
  talk.publish("t", "urgent");
  receive(q1, 3);
  EXPECT_EQ(talk.session->deferrable_bytes(), 0U);
  talk.sent_packets();
  receive(q1, 4);
  EXPECT_EQ(talk.session->deferrable_bytes(), 4U);
  talk.lose();
  talk.open();
  talk.events();
  receive(q1, 5);
  EXPECT_EQ(talk.session->deferrable_bytes(), 4U) << "positions begin anew with the connection";
}

TEST(Session, InboundQos2Repeated_IsAnsweredInTurnAndDoesNotFillTheWindow) {
  Conversation talk{{}, {.receive_window = 1}};
  talk.open(kResume);
  const Publish message{.dup = true, .qos = q2, .topic = "t", .packet_id = 7, .payload = as_bytes("x")};
  talk.say(message);
  EXPECT_EQ(talk.events(), (Lines{"connected", "message t 'x' qos2 dup"}));
  for (int repetition = 0; repetition < 3; ++repetition) talk.say(message);
  talk.say(Pubrel{7});
  EXPECT_EQ(talk.events(), Lines{});
  EXPECT_EQ(talk.unread(), 0u);
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBREC id=7", "PUBREC id=7", "PUBREC id=7", "PUBREC id=7", "PUBCOMP id=7"}));
}

TEST(Session, ManualAck_GoesOutInOrderOfArrival) {
  Conversation talk{{.acknowledge = AckMode::manual}};
  talk.open();
  talk.events();
  talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 1});
  talk.events();
  const AckHandle first = talk.last_ack;
  talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 2});
  talk.events();
  EXPECT_TRUE(talk.session->acknowledge(talk.last_ack, ReasonCode::success, talk.now));
  EXPECT_EQ(talk.sent_packets(), (Lines{}));
  EXPECT_TRUE(talk.session->acknowledge(first, ReasonCode::success, talk.now));
  EXPECT_FALSE(talk.session->acknowledge(first, ReasonCode::success, talk.now));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBACK id=1", "PUBACK id=2"}));
}

TEST(Session, ManualAck_OfMessagesThatCameAgain_GoesOutInTheirNewOrder) {
  Conversation talk{{.acknowledge = AckMode::manual}};
  talk.open(kResume);
  std::vector<AckHandle> handles;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    talk.say(Publish{.qos = q2, .topic = "t", .packet_id = id});
    talk.events();
    handles.push_back(talk.last_ack);
  }
  EXPECT_TRUE(talk.session->acknowledge(handles[1], ReasonCode::success, talk.now));  // waits for the first
  talk.lose();
  talk.open(kResume, true);
  for (std::uint16_t id = 1; id <= 3; ++id) {
    talk.say(Publish{.dup = true, .qos = q2, .topic = "t", .packet_id = id});
  }
  EXPECT_EQ(talk.events(), (Lines{"connected present"}));
  EXPECT_TRUE(talk.session->acknowledge(handles[2], ReasonCode::success, talk.now));
  EXPECT_TRUE(talk.session->acknowledge(handles[0], ReasonCode::success, talk.now));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREC id=1", "PUBREC id=2", "PUBREC id=3"}));
}

TEST(Session, ReceiveWindowFull_LeavesTheInputToTheCaller) {
  Conversation talk{{.acknowledge = AckMode::manual}, {.receive_window = 1}};
  talk.open();
  talk.events();
  talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 1});
  talk.say(Publish{.qos = q1, .topic = "t", .packet_id = 2});
  EXPECT_EQ(talk.events(), (Lines{"message t '' qos1"}));
  EXPECT_GT(talk.unread(), 0u);
  talk.wait(1h);
  EXPECT_EQ(talk.events(), (Lines{}));  // no answer is missing: it may be in the input held back
  EXPECT_TRUE(talk.session->acknowledge(talk.last_ack, ReasonCode::success, talk.now));
  EXPECT_EQ(talk.events(), (Lines{"message t '' qos1"}));
  EXPECT_EQ(talk.unread(), 0u);
}

TEST(Session, LargeMessage_ComesInPieces) {
  for (const bool byte_by_byte : {false, true}) {
    Conversation talk{{}, {.inbound_bytes = 128}};
    talk.byte_by_byte = byte_by_byte;
    talk.open();
    talk.events();
    std::string text(1000, 'x');
    text += "end";
    talk.say(Publish{.qos = q1, .topic = "large", .packet_id = 3, .payload = as_bytes(text)});
    talk.say(Pingresp{});
    const Lines events = talk.events();
    EXPECT_TRUE(events[0].starts_with("message large "));
    EXPECT_TRUE(byte_by_byte ? events.back().ends_with("last") : events.size() == 1) << events.back();
    EXPECT_EQ(talk.payload, text);
    EXPECT_EQ(talk.sent_packets(), (Lines{"PUBACK id=3"}));
  }
}

TEST(Session, LostInsideAMessage_AbortsIt) {
  Conversation talk{{}, {.inbound_bytes = 128}};
  talk.open(kResume);
  talk.events();
  const std::string text(1000, 'x');
  testing::Buffer bytes(2000);
  const Publish packet{.qos = q2, .topic = "large", .packet_id = 3, .payload = as_bytes(text)};
  bytes.resize(encode(packet, {ProtocolVersion::v3_1_1, Flow::to_client}, bytes));
  talk.say_bytes(Bytes{bytes}.first(500));
  EXPECT_EQ(talk.events().size(), 1u);
  talk.lose();
  EXPECT_EQ(talk.events(), (Lines{"message aborted"}));
  talk.open(kResume, true);
  talk.say(packet);
  EXPECT_EQ(talk.events().size(), 2u);
  EXPECT_EQ(talk.payload, text);
}

TEST(Session, MissingPuback_ClosesAfterResponseTime) {
  Conversation talk{{.response_time = 10s}};
  talk.open({.keep_alive_s = 0});
  talk.events();
  talk.publish("a", "1", q1);
  talk.wait(9s);  // not sent yet: the clock has not started
  talk.sent_packets();
  talk.wait(5s);
  talk.say(Pingresp{});
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.wait(5s - 1ms);
  EXPECT_EQ(talk.events(), (Lines{}));
  EXPECT_EQ(talk.session->next_deadline(), talk.now + 1ms);
  talk.wait(1ms);
  EXPECT_EQ(talk.events(), (Lines{"closed, response missing unspecified error"}));
}

TEST(Session, HalfOpenLink_FoundByAQos0PublisherWithin1_5ResponseTimes) {
  for (const LinkCheck check : {LinkCheck::always, LinkCheck::after_sending}) {
    Conversation talk{{.response_time = 10s, .link_check = check}};
    talk.open();
    talk.events();
    TimePoint start = talk.now;
    for (;;) {
      talk.publish("a", "tick");
      talk.sent_packets();
      talk.wait(100ms);
      if (!talk.events().empty()) break;
      ASSERT_LT(talk.now - start, 1min);
    }
    EXPECT_LE(talk.now - start, 15s + 100ms);
    EXPECT_GE(talk.now - start, 14s);
  }
}

TEST(Session, TransportTakesNothing_Stalls) {
  Conversation talk{{.response_time = 10s}};
  talk.open();
  talk.events();
  talk.publish("a", "x");
  talk.wait(15s - 1ms);
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.wait(1ms);
  EXPECT_EQ(talk.events(), (Lines{"closed, transport stalled"}));
}

TEST(Session, KeepAlive_PingsBeforeItEnds) {
  Conversation talk{{.link_check = LinkCheck::keep_alive}};
  talk.open({.keep_alive_s = 60});
  talk.events();
  talk.wait(44s);
  EXPECT_EQ(talk.sent_packets(), (Lines{}));
  talk.wait(1s);
  EXPECT_EQ(talk.sent_packets(), (Lines{"PINGREQ"}));
  talk.say(Pingresp{});
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.wait(45s);
  EXPECT_EQ(talk.sent_packets(), (Lines{"PINGREQ"}));
}

TEST(Session, LentPayload_IsGatheredNotCopied) {
  Conversation talk;
  talk.open();
  talk.events();
  const std::string large(100'000, 'L');
  EXPECT_EQ(talk.publish("a", large, q1, {.payload_use = PayloadUse::lend}), "1");
  std::array<Bytes, 4> list;
  ASSERT_EQ(talk.session->outgoing(list), 2u);
  EXPECT_EQ(static_cast<const void*>(list[1].data()), large.data());
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a <100000>"}));
  talk.say(Puback{1});
  EXPECT_EQ(talk.events(), (Lines{"published 1"}));
}

TEST(Session, LentPayloadAckedBeforeItIsOut_WaitsForTheTransport) {
  Conversation talk;
  talk.open();
  talk.events();
  const std::string large(100'000, 'L');
  talk.publish("a", large, q1, {.payload_use = PayloadUse::lend});
  talk.flush(500);
  talk.say(Puback{1});
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.sent_packets();
  EXPECT_EQ(talk.events(), (Lines{"published 1"}));
}

TEST(Session, InputThatWaits_IsNoNewSignOfLife) {
  const std::string payload(5000, 'p');
  Conversation talk{{.response_time = 10s}};
  talk.open(kResume);
  talk.events();
  talk.publish("t", payload, q2, {.payload_use = PayloadUse::lend});
  talk.say(Pubrec{1});
  EXPECT_EQ(talk.events(), (Lines{}));  // waits until the payload is out
  talk.wait(4s);
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.wait(1s);
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos2 t <5000>", "PINGREQ"}));
}

TEST(Session, LentQos0_IsDoneWhenItsLastByteIsOut) {
  Conversation talk;
  talk.open();
  talk.events();
  const std::string large(10'000, 'L');
  EXPECT_EQ(talk.publish("a", large, q0, {.payload_use = PayloadUse::lend}), "1");
  talk.flush(9'000);
  EXPECT_EQ(talk.events(), (Lines{}));
  talk.flush();
  EXPECT_EQ(talk.events(), (Lines{"published 1"}));
}

TEST(Session, TransportLost_FailsRequestsAndKeepsPublishes) {
  Conversation talk;
  talk.open(kResume);
  talk.events();
  const Subscription filters[] = {{.filter = "a"}};
  const std::string_view names[] = {"b"};
  EXPECT_TRUE(talk.session->subscribe(filters, {}, talk.now).has_value());
  EXPECT_TRUE(talk.session->unsubscribe(names, {}, talk.now).has_value());
  talk.publish("a", "x", q1);
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"SUBSCRIBE id=1 a:0", "UNSUBSCRIBE id=2 b", "PUBLISH id=3 qos1 a 'x'"}));
  talk.lose();
  EXPECT_EQ(talk.events(), (Lines{"failed 1 connection lost", "failed 2 connection lost"}));
  EXPECT_EQ(talk.session->outstanding(), 1u);
}

TEST(Session, PacketIds_AreUniqueAcrossOperationsAndRestBeforeReuse) {
  Conversation talk{{}, {.outgoing_messages = 4}};
  talk.open();
  talk.events();
  EXPECT_EQ(talk.publish("a", "", q1), "1");
  const Subscription filters[] = {{.filter = "a"}};
  EXPECT_EQ(talk.session->subscribe(filters, {}, talk.now)->packet_id(), 2);
  EXPECT_EQ(talk.publish("a", "", q2), "3");
  talk.say(Puback{1});
  talk.events();
  EXPECT_EQ(talk.publish("a", "", q1), "4");
  EXPECT_EQ(talk.publish("a", "", q1), "1");
  EXPECT_EQ(talk.publish("a", "", q1), "no room");
}

TEST(Session, Offline_KeepsQos1AndTreatsQos0AsTold) {
  Conversation refusing;
  EXPECT_EQ(refusing.publish("a", "x"), "not connected");
  EXPECT_EQ(refusing.publish("a", "x", q1), "1");
  Conversation queueing{{.offline_qos0 = OfflineQos0::queue}, {.outgoing_messages = 2}};
  EXPECT_EQ(queueing.publish("a", "1"), "1");
  EXPECT_EQ(queueing.publish("a", "2", q1), "2");
  EXPECT_EQ(queueing.publish("a", "3"), "no room");
  queueing.connect();
  EXPECT_EQ(queueing.sent_packets(),
            (Lines{"CONNECT v4 clean 'c' keep=60", "PUBLISH a '1'", "PUBLISH id=2 qos1 a '2'"}));
  EXPECT_EQ(queueing.events(), (Lines{"published 1"}));
  Conversation dropping{{.offline_qos0 = OfflineQos0::drop_oldest}, {.outgoing_messages = 2}};
  dropping.publish("a", "1", q1);
  dropping.publish("a", "2");
  EXPECT_EQ(dropping.publish("a", "3"), "no room");
  EXPECT_EQ(dropping.events(), (Lines{"failed 2 dropped from the queue"}));
  EXPECT_EQ(dropping.publish("a", "3"), "2");
}

TEST(Session, Cancel_TakesBackWhatWasNeverSent) {
  Conversation talk;
  const auto token = talk.session->publish({.topic = "a", .qos = q1}, talk.now);
  EXPECT_TRUE(talk.session->cancel(*token));
  EXPECT_FALSE(talk.session->cancel(*token));
  talk.open(kResume);
  talk.events();
  const auto sent = talk.session->publish({.topic = "a", .qos = q1}, talk.now);
  EXPECT_FALSE(talk.session->cancel(*sent));
}

TEST(Session, Disconnect_IsTheLastPacket) {
  Conversation talk;
  talk.open();
  talk.events();
  talk.publish("a", "x", q1);
  EXPECT_TRUE(talk.session->disconnect(ReasonCode::success, {}, talk.now).has_value());
  EXPECT_EQ(talk.publish("a", "late", q1), "2");
  EXPECT_EQ(talk.events(), (Lines{}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos1 a 'x'", "DISCONNECT"}));
  EXPECT_EQ(talk.events(), (Lines{"closed, disconnected"}));
}

TEST(Session, InvalidArguments_AreRefusedAndNothingHappens) {
  Conversation talk;
  talk.open();
  talk.events();
  EXPECT_EQ(talk.publish("a/#", ""), "topic or filter invalid");
  EXPECT_EQ(talk.publish("", ""), "topic or filter invalid");
  EXPECT_EQ(talk.publish("a", "", static_cast<QoS>(3)), "arguments invalid");
  EXPECT_EQ(talk.publish(std::string("a\0b", 3), ""), "topic or filter invalid");
  EXPECT_EQ(talk.publish("a", std::string(40'000, 'x'), q1), "too large");
  const Subscription filters[] = {{.filter = "a/#/b"}};
  EXPECT_EQ(talk.session->subscribe(filters, {}, talk.now).error(), SessionError::topic_invalid);
  EXPECT_EQ(talk.session->subscribe({}, {}, talk.now).error(), SessionError::arguments_invalid);
  EXPECT_EQ(talk.session->connect({}, talk.now).error(), SessionError::already_connected);
  EXPECT_EQ(talk.sent_packets(), (Lines{}));
}

}  // namespace
}  // namespace mqboard::mqtt
