// mqboard-image: makes keys, builds, signs, inspects and verifies firmware images (docs/BOOT.md, "Image
// format").
#pragma once

#include <string>
#include <vector>

namespace mqboard::boot {

// Runs one command line (without the program's name). Returns the exit status: 0 done or valid, 1 invalid or
// failed, 2 usage. What it has to say goes to `out` and `err`.
int run_image_tool(const std::vector<std::string>& arguments, std::string& out, std::string& err);

}  // namespace mqboard::boot
