#include <cstdio>

#include "boot/image_tool.hpp"

int main(int argc, char** argv) {
  std::string out, err;
  const int status = mqboard::boot::run_image_tool({argv + 1, argv + argc}, out, err);
  std::fputs(out.c_str(), stdout);
  std::fputs(err.c_str(), stderr);
  return status;
}
