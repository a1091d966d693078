// The session and its store: what survives the process, and what happens when the store fails.
#include "core/mqtt/testing/conversation.hpp"

namespace mqboard::mqtt {
namespace {

using namespace std::chrono_literals;
using testing::Conversation;
using testing::Lines;
using testing::MemoryPersistence;

constexpr QoS q1 = QoS::at_least_once, q2 = QoS::exactly_once;
const ConnectOptions kResume{.clean_start = false, .client_id = "c"};

TEST(Session, Restored_ResendsWhatAnEarlierProcessLeft) {
  const std::string lent(5000, '3');
  MemoryPersistence store;
  {
    Conversation talk{{}, {}, &store};
    ASSERT_TRUE(talk.session->restore().has_value());
    talk.open(kResume);
    talk.events();
    talk.publish("a", "1", q2);
    talk.publish("a", "2", q1);
    talk.publish("a", lent, q1, {.retain = true, .payload_use = PayloadUse::lend});
    talk.sent_packets();
    talk.say(Pubrec{1});
    talk.say(Publish{.qos = q2, .topic = "in", .packet_id = 40});
    talk.events();
  }
  Conversation talk{{}, {}, &store};
  ASSERT_TRUE(talk.session->restore().has_value());
  EXPECT_EQ(talk.publish("a", "4", q1), "4");
  talk.open(kResume, true);
  talk.say(Publish{.dup = true, .qos = q2, .topic = "in", .packet_id = 40});
  EXPECT_EQ(talk.events(), (Lines{"connected present"}));
  EXPECT_EQ(talk.sent_packets(),
            (Lines{"PUBREL id=1", "PUBLISH id=2 qos1 dup a '2'", "PUBLISH id=3 qos1 dup retain a <5000>",
                   "PUBLISH id=4 qos1 a '4'", "PUBREC id=40"}));
  talk.say(Pubcomp{1});
  for (std::uint16_t id = 2; id <= 4; ++id) talk.say(Puback{id});
  talk.say(Pubrel{40});
  EXPECT_EQ(talk.events(), (Lines{"published 1", "published 2", "published 3", "published 4"}));
  EXPECT_TRUE(store.records.empty());
}

TEST(Session, PersistenceFails_PublishIsRefused) {
  MemoryPersistence store;
  store.failing = true;
  Conversation talk{{}, {}, &store};
  EXPECT_EQ(talk.publish("a", "x", q1), "persistence failed");
  EXPECT_EQ(talk.session->outstanding(), 0u);
  EXPECT_TRUE(talk.session->invariants_hold());
}

TEST(Session, PersistenceFailsWhileProcessing_Closes) {
  MemoryPersistence store;
  Conversation talk{{}, {}, &store};
  talk.open(kResume);
  talk.events();
  talk.publish("a", "x", q1);
  talk.sent_packets();
  store.failing = true;
  talk.say(Puback{1});
  EXPECT_EQ(talk.events(),
            (Lines{"published 1", "closed, persistence failed implementation specific error"}));
  Conversation receiver{{}, {}, &store};
  receiver.open(kResume);
  receiver.say(Publish{.qos = q2, .topic = "t", .packet_id = 7});
  EXPECT_EQ(receiver.events(), (Lines{"connected", "message t '' qos2",
                                      "closed, persistence failed implementation specific error"}));
  EXPECT_EQ(receiver.sent_packets(), Lines{});  // no PUBREC
}

TEST(Session, RecordOfAMessageThatCannotBeKept_IsAskedForAgain) {
  for (const AckMode mode : {AckMode::automatic, AckMode::manual}) {
    MemoryPersistence store;
    Conversation talk{{.acknowledge = mode}, {}, &store};
    const auto done = [&] {
      return mode == AckMode::automatic ||
             talk.session->acknowledge(talk.last_ack, ReasonCode::success, talk.now);
    };
    talk.open(kResume);
    talk.say(Publish{.qos = q2, .topic = "t", .packet_id = 7});
    store.failing = true;
    EXPECT_EQ(talk.event(), "connected");
    EXPECT_EQ(talk.event(), "message t '' qos2");
    EXPECT_EQ(done(), mode == AckMode::automatic);
    EXPECT_EQ(talk.events(), (Lines{"closed, persistence failed implementation specific error"}));
    store.failing = false;
    talk.lose();
    talk.open(kResume, true);
    talk.say(Publish{.dup = true, .qos = q2, .topic = "t", .packet_id = 7});
    EXPECT_EQ(talk.events(), (Lines{"connected present"}));
    EXPECT_TRUE(done());
    EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREC id=7"}));
    EXPECT_EQ(store.records.size(), 1u);
    store.failing = true;
    talk.say(Pubrel{7});
    EXPECT_EQ(talk.events(), (Lines{"closed, persistence failed implementation specific error"}));
    EXPECT_EQ(talk.sent_packets(), (Lines{}));  // no PUBCOMP: the identifier is still recorded
    store.failing = false;
    talk.lose();
    talk.open(kResume, true);
    talk.say(Pubrel{7});
    EXPECT_EQ(talk.events(), (Lines{"connected present"}));
    EXPECT_EQ(talk.sent_packets(), (Lines{"PUBCOMP id=7"}));
    EXPECT_TRUE(store.records.empty());
  }
}

TEST(Session, PubrelThatCannotBeRecorded_IsNotSent) {
  MemoryPersistence store;
  Conversation talk{{}, {}, &store};
  talk.open(kResume);
  talk.events();
  talk.publish("a", "x", q2);
  talk.sent_packets();
  store.failing = true;
  talk.say(Pubrec{1});
  EXPECT_EQ(talk.events(), (Lines{"closed, persistence failed implementation specific error"}));
  talk.lose();
  talk.open(kResume, true);
  EXPECT_EQ(talk.events(), (Lines{"connected present"}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBLISH id=1 qos2 dup a 'x'"}));  // as its record says
  store.failing = false;
  talk.say(Pubrec{1});
  EXPECT_EQ(talk.events(), (Lines{}));
  EXPECT_EQ(talk.sent_packets(), (Lines{"PUBREL id=1"}));
}

TEST(Session, PersistenceFailsAtALostSession_Closes) {
  MemoryPersistence store;
  Conversation talk{{.session_lost = SessionLostPolicy::fail}, {}, &store};
  talk.open(kResume);
  talk.events();
  talk.publish("a", "x", q1);
  talk.sent_packets();
  talk.lose();
  store.failing = true;
  talk.open(kResume, false);
  EXPECT_EQ(talk.events(),
            (Lines{"connected", "session lost, republished 0 failed 1", "failed 1 session lost",
                   "closed, persistence failed implementation specific error"}));
  EXPECT_FALSE(talk.session->connected());
}

}  // namespace
}  // namespace mqboard::mqtt
