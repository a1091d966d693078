// mqboot: the bootloader of a board, and what stands in for its hardware. docs/BOOT.md.
#include <cstdio>
#include <exception>

#include "boot/supervisor.hpp"

int main(int argc, char** argv) {
  const auto options = mqboard::boot::parse_options({argv + 1, argv + argc});
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().exit_status == 0 ? stdout : stderr);
    return options.error().exit_status;
  }
  try {
    return mqboard::boot::Supervisor(*options).run();
  } catch (const std::exception& error) {
    // Out of memory or the like: the service manager, or the machine's watchdog, starts afresh.
    std::fprintf(stderr, "mqboot: %s\n", error.what());
    return 1;
  }
}
