// What the examples share: options from the command line, and a main coroutine that ends in a status.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <mqboard/mqtt/client.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace example {

namespace asio = boost::asio;
namespace mqtt = mqboard::mqtt;
using mqtt::QoS;

// A command line of "--name value" pairs; what stands outside of such pairs comes in order.
class Arguments {
 public:
  Arguments(int argc, char** argv) : words_(argv + 1, argv + argc) {}

  // Takes "--name value" out of the line.
  std::string option(std::string_view name, std::string otherwise) {
    for (auto word = words_.begin(); word != words_.end() && word + 1 != words_.end(); ++word) {
      if (*word != name) continue;
      std::string value = word[1];
      words_.erase(word, word + 2);
      return value;
    }
    return otherwise;
  }

  // The word at `index` of what no option() took.
  [[nodiscard]] std::string word(std::size_t index) const {
    return index < words_.size() ? words_[index] : std::string();
  }

 private:
  std::vector<std::string> words_;
};

inline int fail(std::string_view why) {
  std::cerr << why << '\n';
  return 1;
}

// Options for the broker at "--server URL"; ends the program when that is no URL.
inline mqtt::Options server_of(Arguments& arguments, std::string otherwise) {
  mqtt::Options options;
  if (auto added = options.add_url(arguments.option("--server", std::move(otherwise))); !added) {
    std::exit(fail(added.error().message()));
  }
  return options;
}

// Runs a coroutine to its end on this thread: the program's exit status.
inline int run(asio::io_context& io, asio::awaitable<mqtt::Result<void>> work) {
  mqtt::Result<void> outcome;
  asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, mqtt::Result<void> ended) {
    if (thrown) std::rethrow_exception(thrown);
    outcome = std::move(ended);
    io.stop();
  });
  io.run();
  return outcome ? 0 : fail(outcome.error().message());
}

}  // namespace example
