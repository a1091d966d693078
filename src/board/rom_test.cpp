// The modules in ROM that stand between an application and the board: logging, mqtt, watchdog, board, and the
// applications that come with the firmware.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "board/python_board_testing.hpp"

namespace mqboard::board {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::PythonBoard;

struct RomTest : ::testing::Test {
  PythonBoard board;

  void app(const std::string& source) {
    board.flash.put("/app.py", source);
    board.api.who.modules = {"app"};
    board.boot();
  }
  std::vector<std::string> texts(std::string_view logger) {
    std::vector<std::string> found;
    for (const auto& line : board.api.lines()) {
      if (line.logger == logger) found.push_back(line.text);
    }
    return found;
  }
};

using Logging = RomTest;

TEST_F(Logging, RecordsReachTheBoardWithLevelAndName) {
  board.boot();
  board.run(
      "l = logging.getLogger('a.b')\n"
      "l.info('n=%d %s', 1, 'x'); l.warning('w'); l.error('e'); l.critical('c'); l.log(25, 'own'); "
      "l.debug('d')");
  std::vector<std::pair<int, std::string>> got;
  for (const auto& line : board.api.lines()) {
    if (line.logger == "a.b") got.emplace_back(line.level, line.text);
  }
  EXPECT_THAT(got, ElementsAre(std::pair(20, "n=1 x"), std::pair(30, "w"), std::pair(40, "e"),
                               std::pair(50, "c"), std::pair(25, "own")));
}

TEST_F(Logging, MessagesOfAnyTypeAreLogged) {
  board.boot();
  board.run(
      "l = logging.getLogger('t')\n"
      "l.info(b'raw\\xff'); l.info(42); l.info(None); l.info('%(k)s', {'k': 5}); l.info('100%')");
  EXPECT_THAT(texts("t"), ElementsAre("raw\xff", "42", "None", "5", "100%"));
}

TEST_F(Logging, AMessageThatCannotBeFormattedIsShownAsItIs) {
  board.boot();
  EXPECT_EQ(board.run("logging.getLogger('t').info('%d', 'x')"), "None");
  EXPECT_EQ(board.run("logging.getLogger('t').info('%s %s', 1)"), "None");
  EXPECT_THAT(texts("t"), ElementsAre(HasSubstr("%d ('x',)"), HasSubstr("%s %s (1,)")));
}

TEST_F(Logging, LevelsOfTheBoardApplyFromTheStart) {
  board.api.levels = {{"", 30}, {"loud", 10}};
  board.boot();
  board.run(
      "logging.getLogger('x').info('no')\nlogging.getLogger('x').warning('yes')\n"
      "logging.getLogger('loud').debug('yes')");
  EXPECT_THAT(texts("x"), ElementsAre("yes"));
  EXPECT_THAT(texts("loud"), ElementsAre("yes"));
}

TEST_F(Logging, ALoggerWithoutALevelHasThatOfTheNextAboveIt) {
  board.api.levels = {{"", 40}, {"a", 10}};
  board.boot();
  board.run(
      "logging.getLogger('a.b.c').debug('yes')\nlogging.getLogger('ab').warning('no')\n"
      "logging.getLogger('a.b').setLevel('ERROR')\nlogging.getLogger('a.b.c').warning('no')\n"
      "logging.getLogger('a.x').debug('yes')");
  EXPECT_THAT(texts("a.b.c"), ElementsAre("yes"));
  EXPECT_THAT(texts("a.x"), ElementsAre("yes"));
  EXPECT_THAT(texts("ab"), ElementsAre());
  EXPECT_EQ(board.run("logging.getLogger('a.b.c').getEffectiveLevel()"), "40");
}

TEST_F(Logging, SetLevelOfCodeHoldsForThisRun_SetLevelOfTheOperatorIsKept) {
  board.boot();
  board.run("logging.getLogger('x').setLevel('DEBUG'); logging.getLogger('x').debug('one')");
  EXPECT_THAT(board.api.done(), Not(Contains(HasSubstr("set_log_level"))));
  board.run("logging.set_level('x', logging.ERROR); logging.getLogger('x').warning('two')");
  EXPECT_THAT(board.api.done(), Contains("set_log_level x 40"));
  post_log_level(board.runtime, "x", 10);
  board.run("1");  // a job that waits has its turn before the event
  board.run("logging.getLogger('x').debug('three')");
  EXPECT_THAT(texts("x"), ElementsAre("one", "three"));
}

TEST_F(Logging, ExcLogsTheTraceback) {
  board.boot();
  board.run("def f(): {}['k']\ntry: f()\nexcept Exception as e: logging.getLogger('x').exc(e, 'in %s', 'f')");
  EXPECT_THAT(texts("x"), ElementsAre("in f\nTraceback (most recent call last):\n"
                                      "  File \"<stdin>\", line 2, in <module>\n"
                                      "  File \"<stdin>\", line 1, in f\nKeyError: k"));
}

TEST_F(Logging, HandlersReceiveRecordsBesideTheBoard) {
  board.boot();
  EXPECT_EQ(board.run("class H(logging.Handler):\n"
                      "  def emit(self, record): print(self.format(record))\n"
                      "h = H(); h.setLevel(logging.ERROR)\n"
                      "h.setFormatter(logging.Formatter('%(levelname)s|%(name)s|%(message)s'))\n"
                      "logging.getLogger().addHandler(h)\n"
                      "logging.getLogger('x').error('bad %d', 1); logging.getLogger('x').info('fine')\n"
                      "logging.error('root')\n"
                      "logging.getLogger().removeHandler(h)\n"
                      "logging.error('unseen')"),
            "ERROR|x|bad 1\nERROR|root|root\n");
  EXPECT_THAT(texts("x"), ElementsAre("bad 1", "fine"));
}

TEST_F(Logging, BasicConfigSetsTheRootLevelAndWritesAFileOnFlash) {
  board.boot();
  board.run(
      "logging.basicConfig(level=logging.DEBUG, filename='/log.txt', format='%(levelname)s %(message)s')\n"
      "logging.getLogger('x').debug('hello')\nlogging.shutdown()");
  EXPECT_THAT(texts("x"), ElementsAre("hello"));
  EXPECT_EQ(board.flash.text("/log.txt"), "DEBUG hello\n");
}

using Mqtt = RomTest;

TEST_F(Mqtt, PublishAndSubscribeCarryEverythingToTheBoard) {
  app("import asyncio, logging\n"
      "async def go(mqtt):\n"
      "    await mqtt.client.publish('a/b', 'text')\n"
      "    await mqtt.client.publish(b'c', b'bytes', retain=1, qos=1, sync=False)\n"
      "    await mqtt.client.publish('d', bytearray(b'array'), True, 2)\n"
      "    await mqtt.client.publish('e', memoryview(b'-view-')[1:5], qos=0, sync=True)\n"
      "    logging.info('granted %s', await mqtt.client.subscribe('in/#', qos=1))\n"
      "    await mqtt.client.unsubscribe('in/#')\n"
      "    logging.info('went through')\n"
      "def start(mqtt, config): asyncio.create_task(go(mqtt))\n");
  board.api.wait_for_line("went through");
  EXPECT_TRUE(board.api.has_line("granted 1"));
  EXPECT_THAT(board.api.done(), ElementsAre("publish a/b text qos0 sync", "publish c bytes retain qos1",
                                            "publish d array retain qos2 sync", "publish e view qos0 sync",
                                            "subscribe in/# 1", "unsubscribe in/#"));
}

TEST_F(Mqtt, RefusalRaisesInTheTaskThatAsked) {
  board.api.refuse = python::Exception{python::Exception::Type::os_error, "not allowed", 13};
  app("import asyncio, logging\n"
      "async def go(mqtt):\n"
      "    try: await mqtt.client.subscribe('x')\n"
      "    except OSError as e: logging.info('errno %d', e.errno)\n"
      "    try: await mqtt.client.publish('x', 5)\n"
      "    except TypeError as e: logging.info('type error')\n"
      "    try: await mqtt.client.publish('x', '', qos=3)\n"
      "    except ValueError as e: logging.info('value error')\n"
      "def start(mqtt, config): asyncio.create_task(go(mqtt))\n");
  board.api.wait_for_line("errno 13");
  board.api.wait_for_line("type error");
  board.api.wait_for_line("value error");
}

TEST_F(Mqtt, InitCoroutinesRunOnceAfterTheFirstConnectionInOrder) {
  app("import asyncio, logging\n"
      "log = logging.getLogger('order')\n"
      "async def init(n):\n"
      "    await asyncio.sleep_ms(30 - 10 * n)\n"
      "    log.info('init %d', n)\n"
      "    if n == 1: raise ValueError('no')\n"
      "def start(mqtt, config):\n"
      "    for n in range(3): mqtt.on_init(init(n))\n"
      "    log.info('started')\n");
  board.run("1");
  EXPECT_THAT(texts("order"), ElementsAre("started"));
  board.connect();
  board.api.wait_for_line("init 2");
  board.disconnect();
  board.connect();
  board.run("1");
  EXPECT_THAT(texts("order"), ElementsAre("started", "init 0", "init 1", "init 2"));
  EXPECT_THAT(board.api.wait_for_line("on_init failed").text, HasSubstr("ValueError: no"));
}

TEST_F(Mqtt, AnInitThatHangsDoesNotKeepTheOthersBack) {
  app("import asyncio, logging\n"
      "async def hangs(): await asyncio.Event().wait()\n"
      "async def good(): logging.info('good')\n"
      "def start(mqtt, config):\n"
      "    mqtt.on_init(hangs()); mqtt.on_init(good())\n");
  board.connect();
  board.api.wait_for_line("good");
  EXPECT_TRUE(board.api.has_line("takes long"));
}

TEST_F(Mqtt, InitRegisteredWhenConnectedRunsAtOnce) {
  board.api.is_connected = true;
  board.boot();
  board.run("import asyncio\nasync def f(): log.info('ran')\nmqtt.on_init(f())");
  board.api.wait_for_line("ran");
}

TEST_F(Mqtt, ConnectionIsToldToEveryCallbackAndShownByTheLed) {
  app("import logging\n"
      "async def bad(connected): raise ValueError('bad')\n"
      "async def told(connected): logging.getLogger('told').info('connected %s', connected)\n"
      "def start(mqtt, config):\n"
      "    mqtt.on_mqtt(bad); mqtt.on_mqtt(told)\n");
  EXPECT_TRUE(board.api.pins().read("fail_led").value());
  board.connect();
  board.api.wait_for_line("connected True");
  board.run("1");
  EXPECT_FALSE(board.api.pins().read("fail_led").value());
  post_connected(board.runtime, true);
  board.disconnect();
  while (texts("told").size() < 2) board.run("1");
  board.run("1");
  EXPECT_THAT(texts("told"), ElementsAre("connected True", "connected False"));
}

TEST_F(Mqtt, MessagesReachEveryCallback) {
  app("import logging\n"
      "log = logging.getLogger('got')\n"
      "def bad(topic, msg, retained, qos, dup): raise ValueError('bad')\n"
      "def plain(*args): log.info('%s', args)\n"
      "async def later(topic, msg, retained, qos, dup): log.info('later %s', str(topic, 'utf-8'))\n"
      "def start(mqtt, config):\n"
      "    for f in (bad, plain, later): mqtt.on_msg(f)\n");
  const std::uint8_t payload[] = {0, 255, 'x'};
  ASSERT_TRUE(post_message(board.runtime, "a/b", payload, true, 1, false));
  board.api.wait_for_line("later a/b");
  EXPECT_THAT(texts("got"), ElementsAre("(b'a/b', b'\\x00\\xffx', True, 1, False)", "later a/b"));
  EXPECT_TRUE(board.api.has_line("bad failed"));
}

TEST_F(Mqtt, TheOriginalsNamesWork) {
  board.boot();
  EXPECT_EQ(board.run("from mqtt import MQTT; print(MQTT.client is mqtt.client, MQTT.client.isconnected())"),
            "True False\n");
}

using BoardModule = RomTest;

TEST_F(BoardModule, TellsWhoTheBoardIsAndHandsOutTables) {
  board.api.tables["foo"] = R"({"a": [1, {"b": null}]})";
  board.api.who.modules = {"foo"};
  board.flash.put("/foo.py", "");
  board.boot();
  EXPECT_EQ(board.run("board.kind, board.location, board.prefix, board.mqtt_prefix"),
            "('test', 'bench', 'test/bench', 'test/bench')");
  EXPECT_EQ(board.run("board.foo, board.table('bar')"), "({'a': [1, {'b': None}]}, {})");
  EXPECT_EQ(board.run("board.nothing"), "AttributeError: nothing");
  EXPECT_EQ(board.run("from board import act_led, fail_led\nact_led(1); print(act_led(), act_led.value())"),
            "1 1\n");
  EXPECT_TRUE(board.api.pins().read("act_led").value());
}

using Watchdog = RomTest;

TEST_F(Watchdog, ResetAsTheOriginalsToolAsksForIt) {
  board.boot();
  EXPECT_EQ(
      board.run("sys.modules['watchdog'].reset(True)\nlog.critical('Resetting via mqboard safemode=False')"),
      "");
  board.run("watchdog.reset('n'); watchdog.reset('s'); watchdog.reset('f'); watchdog.reset(False)");
  EXPECT_THAT(board.api.done(), ElementsAre("reset 1 1", "reset 1 1", "reset 2 1", "reset 1 2", "reset 1 2"));
}

TEST_F(Watchdog, OnlyTheSecretOfThisBootFeeds) {
  board.boot();
  EXPECT_EQ(board.run(feed_source("c0ffee")), "True");
  EXPECT_EQ(board.run(feed_source("bad")), "False");
  EXPECT_EQ(board.run("watchdog.feed()"), "None");
}

TEST_F(Watchdog, FeedingWorksWhateverTheApplicationCallsItsVariables) {
  board.boot();
  board.run("watchdog = board = mqtt = None");
  EXPECT_EQ(board.run(feed_source("c0ffee")), "True");
}

using Applications = RomTest;

TEST_F(Applications, SysinfoPublishesHeapAndUptimeRegularly) {
  board.api.is_connected = true;
  board.api.who.modules = {"sysinfo"};
  board.api.tables["sysinfo"] = R"({"interval": 20})";
  board.boot();
  while (board.api.done().size() < 3) board.run("1");
  const auto done = board.api.done();
  EXPECT_THAT(done[0], HasSubstr("publish test/bench/sysinfo {"));
  EXPECT_THAT(done[0], HasSubstr("\"mqtt_conn\": 1"));
  EXPECT_THAT(done[2], HasSubstr("\"up\": 40"));
  EXPECT_EQ(board.run("m = gc.mem_maxfree()\ngc.collect()\nprint(gc.mem_free() // 2 < m <= gc.mem_free())"),
            "True\n");
}

TEST_F(Applications, SntpLeavesASynchronisedHostAlone) {
  board.api.host_clock_known = true;
  board.api.who.modules = {"sntp"};
  board.boot();
  board.api.wait_for_line("synchronised");
  EXPECT_TRUE(board.api.done().empty());
}

TEST_F(Applications, SntpSetsTheTimeAndKeepsAsking) {
  board.api.who.modules = {"sntp"};
  board.api.tables["sntp"] = R"({"host": "ntp.example", "poll": 64})";
  board.api.ntp_offset_us = 5'000'000;
  board.boot();
  while (board.api.done().size() < 4) board.run("1");
  EXPECT_THAT(board.api.done(), ::testing::Contains("query_ntp ntp.example"));
  EXPECT_THAT(board.api.done(), ::testing::Contains("set_utc 1700000005"));
  EXPECT_THAT(board.api.done(), ::testing::Contains("set_utc 1700000069"));
  EXPECT_EQ(board.api.wait_for_line("clock adjusted").level, 30);
}

TEST_F(Applications, NtptimeAsksAndSets) {
  board.boot();
  board.api.ntp_offset_us = -1'000'000;
  EXPECT_EQ(board.run("import ntptime; ntptime.host = 'h'; t = ntptime.time()\nprint(t - time.time())"),
            "-1\n");
  board.run("ntptime.settime()");
  EXPECT_THAT(board.api.done(), Contains(HasSubstr("set_utc 16999")));
}

TEST_F(Applications, FindTheModulesOfAMicrocontrollersPort) {
  board.boot();
  EXPECT_EQ(board.run("import asyncio, uasyncio, uasyncio.core\n"
                      "print(uasyncio is asyncio, uasyncio.core is asyncio.core)"),
            "True True\n");
  EXPECT_EQ(board.run("import esp; esp.osdebug(None); print(esp.flash_size() > 0)"), "True\n");
  EXPECT_EQ(board.run("micropython.alloc_emergency_exception_buf(100)"), "None");
  EXPECT_EQ(board.run("import micropython\nfrom micropython import const\nX = const(5)\nprint(X)"), "5\n");
  EXPECT_EQ(board.run("os.uname().sysname, os.uname()[4] == os.uname().machine"), "('linux', True)");
  EXPECT_EQ(board.run("sys.platform, sys.implementation._machine == os.uname().machine"), "('linux', True)");
  // As any other string, also after a collection.
  EXPECT_EQ(board.run("gc.collect(); d = {'linux': 5, 'webassembly': 6, 'JS with Emscripten': 7}\n"
                      "print(d[sys.platform], sys.platform.startswith('lin'), len(sys.platform), "
                      "d['webassembly'], '%s' % sys.platform, sys.implementation._machine)"),
            "5 True 5 6 linux mqboard on Linux\n");
}

TEST_F(Applications, BlinkyBlinksAndTakesANewPeriod) {
  std::ifstream file(MQB_SOURCE_DIR "/examples/blinky/blinky.py");
  std::stringstream source;
  source << file.rdbuf();
  board.flash.make_directory("/lib");
  board.flash.put("/lib/blinky.py", source.str());
  board.api.who.modules = {"blinky"};
  board.api.tables["blinky"] = R"({"period": 500})";
  board.boot();
  board.api.wait_for_line("off");
  const auto lines = texts("blinky");
  EXPECT_THAT((std::vector(lines.begin(), lines.begin() + 2)), ElementsAre("on", "off"));
  board.connect();
  board.api.wait_for("subscribe test/bench/blinky/period 1");
  board.api.wait_for("publish test/bench/blinky/state {\"period\":500} retain qos1 sync");
  post_message(board.runtime, "test/bench/blinky/period", as_bytes("2000"), false, 1, false);
  board.api.wait_for("publish test/bench/blinky/state {\"period\":2000} retain qos1 sync");
  post_message(board.runtime, "test/bench/blinky/period", as_bytes("1"), false, 1, false);
  EXPECT_THAT(board.api.wait_for_line("ignored").text, HasSubstr("ValueError: period must be"));
  post_message(board.runtime, "test/bench/other", as_bytes("3000"), false, 1, false);
  board.run("1");
  EXPECT_FALSE(board.api.has_line("3000 ms"));
}

}  // namespace
}  // namespace mqboard::board
