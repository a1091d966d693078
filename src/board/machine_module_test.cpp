// The modules in ROM that stand for hardware: machine, network, esp32.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "board/nv_store.hpp"
#include "board/python_board_testing.hpp"

namespace mqboard::board {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PythonBoard;

struct MachineModule : ::testing::Test {
  PythonBoard board;

  MachineModule() { board.boot(); }

  python::Outcome::Status status(const std::string& source) {
    const auto result = std::make_shared<testing::Result>();
    board.runtime.eval(source, result);
    const auto outcome = result->wait();
    output = result->output();
    return outcome.status;
  }
  std::string output;
};

TEST_F(MachineModule, ResetsEndTheCodeThatAsked) {
  EXPECT_EQ(status("machine.reset()\nprint('after')"), python::Outcome::Status::exited);
  EXPECT_EQ(status("machine.soft_reset()\nprint('after')"), python::Outcome::Status::exited);
  EXPECT_EQ(status("machine.deepsleep(5000)\nprint('after')"), python::Outcome::Status::exited);
  EXPECT_EQ(status("machine.deepsleep()\nprint('after')"), python::Outcome::Status::exited);
  EXPECT_EQ(output, "");
  EXPECT_THAT(board.api.done(), ElementsAre("reset 1 0", "reset 2 0", "deep_sleep 5000", "deep_sleep 0"));
}

TEST_F(MachineModule, SleepBeyondAllSenseIsRefused) {
  EXPECT_EQ(board.run("machine.deepsleep(-1)"), "ValueError: time out of range");
  EXPECT_EQ(board.run("machine.deepsleep(1 << 60)"), "ValueError: time out of range");
  EXPECT_THAT(board.api.done(), IsEmpty());
}

TEST_F(MachineModule, ResetCauseIsOneOfTheConstants) {
  EXPECT_EQ(board.run("machine.reset_cause() == machine.HARD_RESET"), "True");
  EXPECT_EQ(board.run("machine.PWRON_RESET, machine.HARD_RESET, machine.WDT_RESET, machine.DEEPSLEEP_RESET, "
                      "machine.SOFT_RESET, machine.CRASH_RESET"),
            "(1, 2, 3, 4, 5, 6)");
  EXPECT_EQ(board.run("machine.wake_reason()"), "0");
}

TEST_F(MachineModule, IdentityAndFrequency) {
  EXPECT_EQ(board.run("machine.unique_id()"), "b'\\x01\\x02\\x03\\x04\\x05\\x06'");
  EXPECT_EQ(board.run("machine.freq()"), "1500000000");
  EXPECT_EQ(board.run("machine.freq(80000000, min_freq=10000000)"), "None");
}

TEST_F(MachineModule, LightSleepPassesTime) {
  EXPECT_EQ(board.run("t = time.ticks_ms(); machine.lightsleep(5000); machine.idle(); "
                      "print(time.ticks_diff(time.ticks_ms(), t) >= 5000)"),
            "True\n");
  EXPECT_EQ(board.run("s = machine.disable_irq(); machine.enable_irq(s)"), "");
}

TEST_F(MachineModule, PinsKeepAndTellTheirLevel) {
  EXPECT_EQ(board.run("from machine import Pin\n"
                      "p = Pin(2, Pin.OUT, value=1)\n"
                      "print(p(), p.value())\n"
                      "p.off(); print(p()); p.on(); print(p()); p(0); print(p()); p.toggle(); print(p()); "
                      "p.value(False)\n"
                      "print(p(), p)"),
            "1 1\n0\n1\n0\n1\n0 Pin(2)\n");
  EXPECT_EQ(board.run("Pin(2).value(), Pin('2')()"), "(0, 0)");
  EXPECT_EQ(
      board.run(
          "q = Pin(3, Pin.IN, Pin.PULL_UP)\nprint(q())\nimport _pins; _pins.drive('3', False); print(q())"),
      "1\n0\n");
  EXPECT_EQ(board.run("Pin(2, 99)"), "ValueError: no such mode or pull");
  EXPECT_EQ(board.run("Pin('')"), "ValueError: no such pin: ");
}

TEST_F(MachineModule, SignalInverts) {
  EXPECT_EQ(board.run("from machine import Pin, Signal\n"
                      "s = Signal(Pin(4, Pin.OUT), invert=True)\n"
                      "s.on(); print(Pin(4)(), s.value()); s(0); print(Pin(4)(), s())\n"
                      "t = Signal(5, Pin.OUT, value=1); print(t.value())"),
            "0 1\n1 0\n1\n");
}

TEST_F(MachineModule, PinHandlersRunOnTheirEdges) {
  board.run(
      "from machine import Pin\nimport _pins\n"
      "got = []\n"
      "p = Pin(6, Pin.IN)\n"
      "irq = p.irq(lambda pin: got.append((pin(), irq.flags())), Pin.IRQ_RISING)\n"
      "_pins.drive('6', True)");
  board.run("_pins.drive('6', False)");
  EXPECT_EQ(board.run("got"), "[(1, 1)]");
  board.run("p.irq(None)\n_pins.drive('6', True)");
  EXPECT_EQ(board.run("got"), "[(1, 1)]");
}

TEST_F(MachineModule, RtcMemoryHoldsBytesUpToItsLimit) {
  EXPECT_EQ(board.run("r = machine.RTC(); print(r.memory()); r.memory(b'\\x00abc'); print(r.memory()); "
                      "r.memory('text'); print(machine.RTC().memory())"),
            "b''\nb'\\x00abc'\nb'text'\n");
  EXPECT_EQ(board.run("r.memory(bytes(2049))"), "ValueError: at most 2048 bytes");
  EXPECT_EQ(board.run("r.memory(bytearray(2048)); print(len(r.memory()))"), "2048\n");
}

TEST_F(MachineModule, RtcTellsAndSetsUtc) {
  EXPECT_EQ(board.run("machine.RTC().datetime()[:6]"), "(2023, 11, 14, 1, 22, 13)");
  board.run("machine.RTC().datetime((2030, 1, 2, 2, 3, 4, 5, 600000))");
  EXPECT_THAT(board.api.done(), ElementsAre("set_utc 1893553445"));
}

TEST_F(MachineModule, WdtIsArmedAndFedWithItsTimeout) {
  board.run("w = machine.WDT(timeout=2000)\nw.feed()");
  EXPECT_THAT(board.api.done(), ElementsAre("wdt 2000", "wdt 2000"));
  EXPECT_EQ(board.run("machine.WDT(timeout=0)"), "ValueError: timeout");
}

TEST_F(MachineModule, PeriodicTimerCallsBackWithoutDrift) {
  board.run(
      "calls = []\n"
      "def tick(timer):\n"
      "    calls.append(time.ticks_ms())\n"
      "    if len(calls) == 5: timer.deinit()\n"
      "t = machine.Timer(0)\n"
      "began = time.ticks_ms()\n"
      "t.init(period=250, mode=machine.Timer.PERIODIC, callback=tick)");
  board.run_until("len(calls) == 5");
  board.run(
      "import asyncio\nasync def later():\n    await asyncio.sleep(10)\n    log.info('later')\n"
      "asyncio.create_task(later())");
  board.api.wait_for_line("later");
  EXPECT_EQ(board.run("[c - began for c in calls]"), "[250, 500, 750, 1000, 1250]");
}

TEST_F(MachineModule, OneShotTimerAndFailingCallbacks) {
  board.run(
      "calls = []\n"
      "machine.Timer(-1, mode=machine.Timer.ONE_SHOT, period=10, callback=lambda t: calls.append(1))\n"
      "def bad(t):\n"
      "    calls.append(2)\n"
      "    raise ValueError('bad')\n"
      "machine.Timer(1, freq=20, callback=bad)");
  board.run_until("calls.count(2) > 2");
  EXPECT_EQ(board.run("calls.count(1)"), "1");
  EXPECT_THAT(board.api.wait_for_line("timer failed").text, HasSubstr("ValueError: bad"));
}

TEST_F(MachineModule, WhatLinuxDoesNotHaveIsMissing) {
  EXPECT_EQ(board.run("from machine import CAN"), "ImportError: can't import name CAN");
  EXPECT_THAT(board.run("machine.bitstream"), HasSubstr("AttributeError"));
  EXPECT_THAT(board.run("import onewire"), HasSubstr("ImportError"));
  EXPECT_THAT(board.run("import dht"), HasSubstr("ImportError"));
}

using NetworkModule = MachineModule;

TEST_F(NetworkModule, TellsTheTruthOfTheHost) {
  EXPECT_EQ(
      board.run("import network\nw = network.WLAN(network.STA_IF)\n"
                "print(w.active(True), w.isconnected(), w.status() == network.STAT_IDLE, w.ifconfig())"),
      "False False True ('0.0.0.0', '0.0.0.0', '0.0.0.0', '0.0.0.0')\n");
  board.api.net = {.up = true,
                   .interface = "eth0",
                   .address = "10.0.0.2",
                   .netmask = "255.0.0.0",
                   .gateway = "10.0.0.1",
                   .nameserver = "10.0.0.3",
                   .hostname = "cellar",
                   .mac = {0xde, 0xad, 0, 0, 0, 1}};
  EXPECT_EQ(board.run("w.connect('ssid', 'pass')\nprint(w.isconnected(), w.status() == network.STAT_GOT_IP, "
                      "w.ifconfig())"),
            "True True ('10.0.0.2', '255.0.0.0', '10.0.0.1', '10.0.0.3')\n");
  EXPECT_EQ(board.run("w.config('mac'), w.config('dhcp_hostname'), network.hostname()"),
            "(b'\\xde\\xad\\x00\\x00\\x00\\x01', 'cellar', 'cellar')");
  EXPECT_EQ(board.run("network.WLAN(network.AP_IF).isconnected(), network.LAN().isconnected()"),
            "(False, True)");
  EXPECT_EQ(board.run("w.config(dhcp_hostname='x')"), "None");
  EXPECT_THAT(board.run("w.ifconfig(('1.2.3.4',))"), HasSubstr("OSError"));
  EXPECT_EQ(board.run("w.ipconfig('addr4'), w.ipconfig('gw4')"), "(('10.0.0.2', '255.0.0.0'), '10.0.0.1')");
}

// Settings of a radio and names are no reason for a script to end.
TEST_F(NetworkModule, SettingsHaveNoEffect_AnAccessPointIsRefused) {
  EXPECT_EQ(board.run("import network\nnetwork.hostname('other'); network.country('DE')\n"
                      "w = network.WLAN(network.STA_IF); w.config(pm=w.PM_NONE, txpower=5)\n"
                      "print(network.hostname() == 'other', w.config('ssid'))"),
            "False \n");
  EXPECT_THAT(board.run("network.WLAN(network.AP_IF).active(True)"), HasSubstr("no access point"));
  EXPECT_EQ(board.run("network.WLAN(network.AP_IF).active(False)"), "False");
}

using Esp32Module = MachineModule;

TEST_F(Esp32Module, PartitionsAreTheFirmwareSlots) {
  EXPECT_EQ(board.run("from esp32 import Partition\np = Partition(Partition.RUNNING)\nprint(p.info(), "
                      "p.ioctl(4), p.ioctl(5))"),
            "(0, 16, 0, 10000, 'a', False) 3 4096\n");
  EXPECT_EQ(
      board.run(
          "n = p.get_next_update(); n.set_boot(); p.mark_app_valid_cancel_rollback()\nprint(n.info()[4])"),
      "b\n");
  EXPECT_THAT(board.api.done(), ElementsAre("select b", "confirm"));
  EXPECT_EQ(board.run("[x.info()[4] for x in Partition.find()], Partition.find(Partition.TYPE_DATA)"),
            "(['a', 'b'], [])");
  EXPECT_EQ(board.run("Partition('b').info()[1]"), "17");
  EXPECT_THAT(board.run("n.writeblocks(0, b'')"), HasSubstr("OSError"));
  EXPECT_THAT(board.run("Partition('c')"), HasSubstr("OSError"));
}

TEST_F(Esp32Module, WithoutAnotherSlotThereIsNoNextUpdate) {
  board.api.other.reset();
  EXPECT_THAT(board.run("import esp32; esp32.Partition(esp32.Partition.RUNNING).get_next_update()"),
              HasSubstr("OSError"));
}

TEST_F(Esp32Module, NvsKeepsValuesOnFlash) {
  EXPECT_EQ(
      board.run(
          "import esp32\nn = esp32.NVS('app')\nn.set_i32('count', -7); n.set_blob('blob', b'\\x00\\xff')\n"
          "n.commit()\nb = bytearray(4)\nprint(n.get_i32('count'), n.get_blob('blob', b), b)"),
      "-7 2 bytearray(b'\\x00\\xff\\x00\\x00')\n");
  NvStore stored(board.flash);
  EXPECT_EQ(stored.get("app", "count"), NvStore::Item(-7));
  EXPECT_THAT(board.run("n.get_i32('blob')"), HasSubstr("ESP_ERR_NVS_NOT_FOUND"));
  EXPECT_THAT(board.run("n.get_i32('other')"), HasSubstr("-4354"));
  EXPECT_THAT(board.run("n.get_blob('blob', bytearray(1))"), HasSubstr("INVALID_LENGTH"));
  EXPECT_EQ(board.run("n.set_i32('count', 1 << 31)"), "ValueError: not a 32-bit integer");
  EXPECT_EQ(board.run("n.set_i32('a-key-too-long-by-far', 1)"), "ValueError: name or blob too long");
  EXPECT_EQ(board.run("n.erase_key('count')"), "None");
  EXPECT_THAT(board.run("n.erase_key('count')"), HasSubstr("ESP_ERR_NVS_NOT_FOUND"));
  EXPECT_EQ(board.run("esp32.NVS('')"), "ValueError: namespace of 1 to 15 characters");
}

}  // namespace
}  // namespace mqboard::board
