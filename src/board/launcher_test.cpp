#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "board/python_board_testing.hpp"
#include "board/text.hpp"

namespace mqboard::board {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::PythonBoard;

// A module whose start() logs its name and what it was given.
std::string module_named(const std::string& name) {
  return "import logging\n"
         "def start(mqtt, config):\n"
         "    logging.getLogger('" +
         name + "').info('started %s', sorted(config.items()))\n";
}

std::vector<std::string> info_lines(PythonBoard& board, std::string_view logger) {
  std::vector<std::string> texts;
  for (const auto& line : board.api.lines()) {
    if (line.logger == logger) texts.push_back(line.text);
  }
  return texts;
}

TEST(Launcher, RunsBootThenModulesInOrderThenMain) {
  PythonBoard board;
  board.flash.put("/boot.py", "import logging\norder = ['boot']\n");
  board.flash.put("/one.py", "import __main__\ndef start(mqtt, config): __main__.order.append('one')\n");
  board.flash.make_directory("/lib");
  board.flash.put("/lib/two.py", "import __main__\ndef start(mqtt, config): __main__.order.append('two')\n");
  board.flash.put("/main.py", "order.append(__name__)\n");
  board.api.who.modules = {"two", "one"};
  board.boot();
  EXPECT_EQ(board.run("order"), "['boot', 'two', 'one', '__main__']");
}

TEST(Launcher, HandsEachModuleItsTable) {
  PythonBoard board;
  board.flash.put("/foo.py", module_named("foo"));
  board.flash.put("/bar.py", module_named("bar"));
  board.api.tables["foo"] = R"({"period": 500, "name": "x"})";
  board.api.who.modules = {"foo", "bar"};
  board.boot();
  EXPECT_THAT(info_lines(board, "foo"), ElementsAre("started [('name', 'x'), ('period', 500)]"));
  EXPECT_THAT(info_lines(board, "bar"), ElementsAre("started []"));
}

TEST(Launcher, LogKeyOfATableIsTheModulesLevelAndNotHandedOn) {
  PythonBoard board;
  board.flash.put("/foo.py",
                  "import logging\nlog = logging.getLogger(__name__)\n"
                  "def start(mqtt, config): log.debug('config %s', config)\n");
  board.api.tables["foo"] = R"({"log": 10})";
  board.api.who.modules = {"foo"};
  board.boot();
  EXPECT_THAT(info_lines(board, "foo"), ElementsAre("config {}"));
}

TEST(Launcher, AModuleThatCannotBeStartedLeavesTheOthersRunning) {
  PythonBoard board;
  board.flash.put("/syntax.py", "def\n");
  board.flash.put("/imports.py", "import not_there\n");
  board.flash.put("/raises.py", "def start(mqtt, config):\n    return 1 // 0\n");
  board.flash.put("/leaves.py", "import sys\nsys.exit(3)\n");
  board.flash.put("/good.py", module_named("good"));
  board.api.who.modules = {"syntax", "missing", "imports", "raises", "leaves", "good"};
  board.boot();
  EXPECT_THAT(info_lines(board, "good"), ElementsAre("started []"));
  const auto line = board.api.wait_for_line("raises cannot be started");
  EXPECT_EQ(line.level, 40);
  EXPECT_EQ(line.text,
            "raises cannot be started\n"
            "Traceback (most recent call last):\n"
            "  File \"raises.py\", line 2, in start\n"
            "ZeroDivisionError: divide by zero");
  EXPECT_TRUE(board.api.has_line("no module named 'missing'"));
  EXPECT_TRUE(board.api.has_line("no module named 'not_there'"));
  EXPECT_THAT(board.api.done(), Contains("failure raises: ZeroDivisionError: divide by zero"));
  EXPECT_THAT(board.api.done(), Contains(HasSubstr("failure syntax: SyntaxError")));
  EXPECT_THAT(board.api.done(), Contains(HasSubstr("failure leaves: SystemExit")));
}

TEST(Launcher, NamesOfNativeServicesAreAccepted) {
  PythonBoard board;
  board.flash.put("/good.py", module_named("good"));
  board.api.who.modules = {"mqtt", "logging", "mqrepl", "watchdog", "good"};
  board.boot();
  EXPECT_THAT(info_lines(board, "good"), ElementsAre("started []"));
  EXPECT_THAT(board.api.done(), Not(Contains(HasSubstr("failure"))));
}

// With the traceback of the line that is wrong, not of the one that would call it.
TEST(Launcher, WhatIsNoFunctionIsRefusedWhereItIsHandedOver) {
  PythonBoard board;
  for (const char* call : {"on_init", "on_mqtt", "on_msg", "watched"}) {
    board.flash.put(concat("/", call, ".py"), concat("def start(mqtt, config):\n    mqtt.", call, "(5)\n"));
    board.api.who.modules.emplace_back(call);
  }
  board.boot();
  for (const char* call : {"on_init", "on_mqtt", "on_msg", "watched"}) {
    const auto line = board.api.wait_for_line(concat(call, " cannot be started"));
    EXPECT_THAT(line.text, HasSubstr(concat("File \"", call, ".py\", line 2, in start")));
    EXPECT_THAT(line.text, HasSubstr("TypeError: a function is expected, not 5"));
  }
}

TEST(Launcher, AModuleWithoutStartIsImportedAndAnAsyncStartRuns) {
  PythonBoard board;
  board.flash.put("/plain.py", "import logging\nlogging.getLogger('plain').info('imported')\n");
  board.flash.put("/late.py",
                  "import logging\nasync def start(mqtt, config):\n"
                  "    logging.getLogger('late').info('running')\n");
  board.flash.make_directory("/house");
  board.flash.put("/house/__init__.py", "");
  board.flash.put("/house/lights.py", module_named("lights"));
  board.api.who.modules = {"plain", "late", "house.lights"};
  board.boot();
  board.api.wait_for_line("running");
  EXPECT_THAT(info_lines(board, "plain"), ElementsAre("imported"));
  EXPECT_THAT(info_lines(board, "lights"), ElementsAre("started []"));
  EXPECT_TRUE(board.api.has_line("plain has no start()"));
}

TEST(Launcher, SafeModeRunsNothingOfTheApplication) {
  PythonBoard board;
  for (const char* path : {"/boot.py", "/main.py", "/app.py"}) {
    board.flash.put(path, "import logging\nlogging.error('application runs')\n");
  }
  board.api.who.modules = {"app"};
  board.api.who.safe_mode = true;
  board.boot();
  EXPECT_FALSE(board.api.has_line("application runs"));
  EXPECT_TRUE(board.api.has_line("safe mode"));
  EXPECT_EQ(board.run("safemode, board.safemode"), "(True, True)");
}

TEST(Launcher, FilesOnFlashDoNotReplaceTheBoardsOwnModules) {
  PythonBoard board;
  for (const char* name : {"_launcher", "_tasks", "_board", "_gc", "asyncio", "board", "errno", "json",
                           "logging", "machine", "mqtt", "time", "watchdog"}) {
    board.flash.put("/" + std::string(name) + ".py", "raise ValueError('replaced')\n");
  }
  board.flash.put("/app.py",
                  "import asyncio, board, logging, machine, mqtt, watchdog\n" + module_named("app"));
  board.api.who.modules = {"app"};
  board.boot();
  EXPECT_THAT(info_lines(board, "app"), ElementsAre("started []"));
}

TEST(Launcher, AnApplicationOfTheFirmwareGivesWayToOneOnFlash) {
  PythonBoard board;
  board.flash.make_directory("/lib");
  board.flash.put("/lib/sysinfo.py", module_named("mine"));
  board.api.who.modules = {"sysinfo"};
  board.boot();
  EXPECT_THAT(info_lines(board, "mine"), ElementsAre("started []"));
}

TEST(Launcher, FailureOfMainIsLoggedWithItsTracebackAndReported) {
  PythonBoard board;
  board.flash.put("/main.py", "def f():\n    raise RuntimeError('oh')\nf()\n");
  board.boot();
  EXPECT_EQ(board.api.wait_for_line("main.py failed").text,
            "main.py failed\n"
            "Traceback (most recent call last):\n"
            "  File \"main.py\", line 3, in <module>\n"
            "  File \"main.py\", line 2, in f\n"
            "RuntimeError: oh");
  EXPECT_THAT(board.api.done(), Contains("failure main.py: RuntimeError: oh"));
  EXPECT_EQ(board.run("1+1"), "2");
}

TEST(Launcher, BootThatFailsOrLoopsDoesNotKeepTheModulesFromStarting) {
  PythonBoard board;
  board.flash.put("/boot.py", "import logging\nlogging.error('looping')\nwhile True: pass\n");
  board.flash.put("/app.py", module_named("app"));
  board.api.who.modules = {"app"};
  const auto launcher = board.start();
  board.api.wait_for_line("looping");
  while (!launcher->is_done()) board.runtime.interrupt();
  EXPECT_THAT(board.api.wait_for_line("boot.py interrupted").text, HasSubstr("KeyboardInterrupt"));
  EXPECT_THAT(board.api.done(), Not(Contains(HasSubstr("failure boot.py"))));
}

TEST(Launcher, ExitOfMainIsNoFailure) {
  PythonBoard board;
  board.flash.put("/main.py", "import sys\nsys.exit()\n");
  board.boot();
  EXPECT_TRUE(board.api.has_line("main.py exited"));
  EXPECT_THAT(board.api.done(), Not(Contains(HasSubstr("failure"))));
}

TEST(Launcher, AResetStopsWhatWouldComeNext) {
  PythonBoard board;
  board.flash.put("/boot.py",
                  "import machine\ntry:\n    machine.reset()\nexcept Exception: pass\nprint('after')\n");
  board.flash.put("/app.py", module_named("app"));
  board.api.who.modules = {"app"};
  const auto launcher = board.start();
  EXPECT_EQ(launcher->wait().status, python::Outcome::Status::exited);
  EXPECT_THAT(board.api.done(), Contains("reset 1 0"));
  EXPECT_THAT(info_lines(board, "app"), IsEmpty());
  EXPECT_EQ(launcher->output(), "");
}

TEST(Launcher, NamesOfTheOriginalsMainAreInTheReplsNamespace) {
  PythonBoard board;
  board.boot();
  board.run("log.warning('from eval')");
  EXPECT_EQ(board.api.wait_for_line("from eval").logger, "main");
  EXPECT_EQ(board.run("GLOBALS() is globals()"), "True");
  EXPECT_EQ(board.run("sys.modules['watchdog'] is watchdog, safemode"), "(True, False)");
  EXPECT_EQ(
      board.run("all(m in globals() for m in 'gc sys machine os time micropython logging board'.split())"),
      "True");
}

constexpr const char* kTicker =
    "import asyncio, logging\n"
    "async def tick():\n"
    "    n = 0\n"
    "    while True:\n"
    "        await asyncio.sleep_ms(100)\n"
    "        n += 1\n"
    "        if n % 100 == 0: logging.getLogger('ticker').info('ticks %d', n)\n"
    "def start(mqtt, config):\n"
    "    asyncio.create_task(tick())\n";

TEST(Launcher, TasksOfModulesRunAfterMainHasEnded) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/main.py", "x = 1\n");
  board.api.who.modules = {"ticker"};
  board.boot();
  board.api.wait_for_line("ticks 300");
  EXPECT_EQ(board.run("x"), "1");
}

TEST(Launcher, TasksAndEvalsGoOnInsideAMainThatRunsForEver) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/main.py",
                  "import asyncio\n"
                  "count = 0\n"
                  "async def main():\n"
                  "    global count\n"
                  "    while True:\n"
                  "        count += 1\n"
                  "        await asyncio.sleep(1)\n"
                  "asyncio.run(main())\n");
  board.api.who.modules = {"ticker"};
  const auto launcher = board.start();
  board.api.wait_for_line("ticks 300");
  EXPECT_EQ(board.run("count > 10"), "True");
  EXPECT_FALSE(launcher->is_done());
}

// The commonest script of all.
TEST(Launcher, AMainThatLoopsWithASleepKeepsNobodyOut) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/main.py",
                  "from machine import Pin, Timer\n"
                  "import time, logging\n"
                  "led = Pin(2, Pin.OUT)\n"
                  "blinks = pressed = 0\n"
                  "def on_press(pin):\n"
                  "    global pressed\n"
                  "    pressed += 1\n"
                  "def blink(timer):\n"
                  "    global blinks\n"
                  "    blinks += 1\n"
                  "Pin(4, Pin.IN).irq(on_press, Pin.IRQ_RISING)\n"
                  "Timer(0).init(period=100, callback=blink)\n"
                  "while True:\n"
                  "    led.toggle()\n"
                  "    time.sleep(0.5)\n");
  board.api.who.modules = {"ticker"};
  const auto launcher = board.start();
  board.api.wait_for_line("ticks 300");
  EXPECT_EQ(board.run("blinks > 10"), "True");
  board.run("import _pins; _pins.drive('4', True)");
  board.run_until("pressed == 1");
  EXPECT_FALSE(launcher->is_done());
  board.runtime.interrupt();
  EXPECT_THAT(board.api.wait_for_line("main.py interrupted").text, HasSubstr("KeyboardInterrupt"));
}

TEST(Launcher, AModuleThatBlocksIsNamedAndThoseBeforeItWork) {
  PythonBoard board;
  board.flash.put("/early.py",
                  "import logging\n"
                  "async def connected(): logging.info('early is connected')\n"
                  "def start(mqtt, config): mqtt.on_init(connected())\n");
  board.flash.put("/blocks.py", "import time\ndef start(mqtt, config):\n    while True: time.sleep(1)\n");
  board.api.is_connected = true;
  board.api.who.modules = {"early", "blocks"};
  const auto launcher = board.start();
  EXPECT_EQ(board.api.wait_for_line("blocks blocks").level, 30);
  board.api.wait_for_line("early is connected");
  EXPECT_EQ(board.run("1+1"), "2");
  EXPECT_FALSE(launcher->is_done());
}

// The idiom of MicroPython's documentation.
TEST(Launcher, AMainThatResetsTheEventLoopDoesNotEndTheModules) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/main.py",
                  "import asyncio, logging\n"
                  "async def main():\n"
                  "    await asyncio.sleep(1)\n"
                  "try:\n"
                  "    asyncio.run(main())\n"
                  "finally:\n"
                  "    asyncio.new_event_loop()\n"
                  "logging.info('main is through')\n");
  board.api.who.modules = {"ticker"};
  board.boot();
  board.api.wait_for_line("main is through");
  board.api.wait_for_line("ticks 500");
}

TEST(Launcher, ExceptionInATaskIsLoggedReportedAndHarmlessToOthers) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/bad.py",
                  "import asyncio\n"
                  "async def fails():\n"
                  "    await asyncio.sleep_ms(10)\n"
                  "    {}['key']\n"
                  "def start(mqtt, config):\n"
                  "    asyncio.create_task(fails())\n");
  board.api.who.modules = {"bad", "ticker"};
  board.boot();
  const auto line = board.api.wait_for_line("fails failed");
  EXPECT_EQ(line.level, 40);
  EXPECT_THAT(line.text, HasSubstr("File \"bad.py\", line 4, in fails\nKeyError: key"));
  board.api.wait_for("failure fails: KeyError: key");
  board.api.wait_for_line("ticks 300");
}

TEST(Launcher, WatchedTaskIsStartedAgainWithGrowingPauses) {
  PythonBoard board;
  board.flash.put("/shaky.py",
                  "import asyncio, time, __main__\n"
                  "began = []\n"
                  "async def shaky(limit):\n"
                  "    began.append(time.ticks_ms() // 1000)\n"
                  "    if len(began) == 9: await asyncio.sleep(120)\n"
                  "    if len(began) % 2: raise ValueError('shaky')\n"
                  "def start(mqtt, config):\n"
                  "    mqtt.watched(shaky, limit=3)\n");
  board.api.who.modules = {"shaky"};
  board.boot();
  board.run_until("len(sys.modules['shaky'].began) > 10");
  EXPECT_EQ(board.run("b = sys.modules['shaky'].began\nprint([y - x for x, y in zip(b, b[1:])][:10])"),
            "[1, 2, 4, 8, 16, 32, 60, 60, 121, 2]\n");
  EXPECT_THAT(board.api.wait_for_line("shaky failed").text, HasSubstr("ValueError: shaky"));
  EXPECT_TRUE(board.api.has_line("shaky ended"));
  EXPECT_TRUE(board.api.has_line("shaky starts again in 4 s"));
}

TEST(Launcher, InterruptEndsARunawayTaskAndTheOthersGoOn) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/runaway.py",
                  "import asyncio, logging\n"
                  "async def loops():\n"
                  "    logging.info('looping')\n"
                  "    while True: pass\n"
                  "def start(mqtt, config):\n"
                  "    asyncio.create_task(loops())\n");
  board.api.who.modules = {"runaway", "ticker"};
  board.boot();
  board.api.wait_for_line("looping");
  board.runtime.interrupt();
  board.api.wait_for_line("ticks 300");
  EXPECT_EQ(board.run("1+1"), "2");
}

TEST(Launcher, OutOfMemoryInATaskIsAFailureLikeOthers) {
  PythonBoard board;
  board.flash.put("/ticker.py", kTicker);
  board.flash.put("/hungry.py",
                  "import asyncio\n"
                  "async def eats():\n"
                  "    x = []\n"
                  "    while True: x.append(bytearray(1000))\n"
                  "def start(mqtt, config):\n"
                  "    asyncio.create_task(eats())\n");
  board.api.who.modules = {"hungry", "ticker"};
  board.boot();
  board.api.wait_for_line("eats failed");
  board.api.wait_for_line("MemoryError");
  board.api.wait_for("failure eats: MemoryError: memory allocation failed, allocating 1000 bytes");
  board.api.wait_for_line("ticks 300");
}

}  // namespace
}  // namespace mqboard::board
