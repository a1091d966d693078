// What a dying firmware says of itself: fatal signals and uncaught C++ exceptions write their cause and a
// native backtrace into the crash note of RTC memory, from which mqboot makes the report (docs/BOOT.md,
// "Crash reports").
#pragma once

#include "core/boot/rtc.hpp"

namespace mqboard::port {

// From now on fatal signals and std::terminate() write to `note`, whose memory has to stay until the process
// ends, and then kill the process as they would have. SIGQUIT writes a backtrace of the thread that takes it,
// increments the eventfd `asked` (-1: none), and the process goes on.
//
// A frame is written as module+offset, to be looked up with addr2line in the same build, and by its symbol
// where the module exports it. Call once, before there are other threads.
void write_death_notes(boot::RtcNote note, int asked);

// Lets the calling thread tell of the overflow of its stack too, under the name `thread`, which has to stay.
// Every thread that runs the board's code calls it; write_death_notes() does for the thread that calls it,
// "main".
void note_overflow_of_this_thread(const char* thread);

}  // namespace mqboard::port
