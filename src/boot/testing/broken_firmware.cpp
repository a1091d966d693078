// A firmware that fails: the last four bytes behind its executable say how, "segv", "hang", "thro" or "fail".
// Without them it ends.
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string>

#include "port/linux/boot_client.hpp"
#include "port/linux/death_note.hpp"

int main() {
  auto client = mqboard::port::BootClient::connect({});
  if (!client) return 98;
  client->rtc().log().append("the broken firmware starts");
  mqboard::port::write_death_notes(client->rtc().crash_note(), -1);
  std::ifstream image("/proc/self/exe", std::ios::binary);
  std::string how(4, '\0');
  image.seekg(-4, std::ios::end);
  image.read(how.data(), 4);
  if (how == "segv") {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
  if (how == "thro") throw std::runtime_error("a mistake");
  if (how == "fail") throw std::bad_alloc();
  while (how == "hang") ::pause();
  return 97;
}
