#include "boot/image_tool.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <expected>
#include <map>
#include <optional>

#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"
#include "port/linux/fd.hpp"

namespace mqboard::boot {
namespace {

constexpr std::string_view kHelp =
    R"(usage: mqboard-image keygen NAME                 makes NAME.key (keep it secret) and NAME.pub
       mqboard-image build --key FILE.key --version V [options] PAYLOAD IMAGE
       mqboard-image sign --key FILE.key IMAGE       signs again, with another key
       mqboard-image inspect [-o json] IMAGE
       mqboard-image verify --key FILE.pub [options] IMAGE
options:
  --hardware KIND         hardware the image is for (this machine's); verify: must match when given
  --product NAME          mqboard
  --security-counter N    a board refuses images below the greatest it has confirmed (0)
Exit status: 0 done, or valid; 1 failed, or not valid; 2 usage.
)";

using Error = std::unexpected<std::string>;
template<class Value>
using Outcome = std::expected<Value, std::string>;
using Content = std::vector<std::uint8_t>;

struct Arguments {
  std::map<std::string, std::string> options;
  std::vector<std::string> operands;

  [[nodiscard]] std::string value(const std::string& name, const std::string& otherwise) const {
    const auto found = options.find(name);
    return found == options.end() ? otherwise : found->second;
  }
};

struct UsageError {
  std::string text;
};

std::string failure(const std::string& path) { return path + ": " + std::strerror(errno); }

Outcome<Content> read_all(const std::string& path) {
  const port::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error(failure(path));
  Content content;
  std::uint8_t buffer[65536];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0) return Error(failure(path));
    if (count == 0) return content;
    content.insert(content.end(), buffer, buffer + count);
  }
}

// Writes a new file and renames it into place, so that nobody reads half an image. A secret must not exist
// yet.
Outcome<void> write_all_to(const std::string& path, Bytes content, bool secret) {
  struct stat existing {};
  if (secret && ::lstat(path.c_str(), &existing) == 0) return Error(path + ": exists already");
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  port::Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0666));
  if (!file) return Error(failure(temporary));
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0) return Error(failure(temporary));
    content = content.subspan(static_cast<std::size_t>(count));
  }
  if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) return Error(failure(path));
  return {};
}

Outcome<port::PrivateKey> read_private_key(const std::string& path) {
  const auto pem = read_all(path);
  if (!pem) return Error(pem.error());
  auto key = port::PrivateKey::from_pem(as_text(*pem));
  if (!key) return Error(path + ": " + key.error());
  return key;
}

std::string hex(Bytes bytes) {
  std::string result;
  for (const std::uint8_t byte : bytes) {
    result += "0123456789abcdef"[byte >> 4];
    result += "0123456789abcdef"[byte & 15];
  }
  return result;
}

Outcome<ImageHeader> header_of(const std::string& path, const Content& image) {
  const auto header = decode_image_header(image);
  if (!header) return Error(path + ": " + std::string(describe(header.error())));
  return *header;
}

// What is wrong with the payload, if anything.
std::optional<ImageError> check_payload(const ImageHeader& header, const Content& image) {
  const Bytes payload = Bytes{image}.subspan(kImageHeaderBytes);
  if (payload.size() < header.payload_bytes) return ImageError::truncated;
  if (payload.size() > header.payload_bytes) return ImageError::trailing;
  if (port::sha256(payload) != header.payload_hash) return ImageError::hash_mismatch;
  return {};
}

Outcome<std::string> keygen(const Arguments& arguments) {
  const std::string& name = arguments.operands[0];
  const port::PrivateKey key = port::PrivateKey::generate();
  if (const auto written = write_all_to(name + ".key", as_bytes(key.to_pem()), true); !written) {
    return Error(written.error());
  }
  const std::string pem = port::public_key_to_pem(key.public_key());
  if (const auto written = write_all_to(name + ".pub", as_bytes(pem), false); !written) {
    return Error(written.error());
  }
  return "key id " + hex(port::key_id(key.public_key())) + "\n";
}

Outcome<Label> label(const Arguments& arguments, const std::string& option, const std::string& otherwise) {
  const std::string text = arguments.value(option, otherwise);
  const auto result = Label::make(text);
  if (!result || result->empty()) return Error(option + ": at most 32 printable characters without spaces");
  return *result;
}

Outcome<std::string> build(const Arguments& arguments) {
  auto key = read_private_key(arguments.value("--key", ""));
  if (!key) return Error(key.error());
  const auto product = label(arguments, "--product", "mqboard");
  const auto hardware = label(arguments, "--hardware", port::default_hardware_kind());
  const auto version = label(arguments, "--version", "");
  for (const auto* const part : {&product, &hardware, &version}) {
    if (!*part) return Error(part->error());
  }
  const std::string counter_text = arguments.value("--security-counter", "0");
  std::uint32_t counter = 0;
  const char* const end = counter_text.data() + counter_text.size();
  const auto [rest, error] = std::from_chars(counter_text.data(), end, counter);
  if (error != std::errc{} || rest != end) return Error("--security-counter: not a number");
  const auto payload = read_all(arguments.operands[0]);
  if (!payload) return Error(payload.error());
  if (payload->empty()) return Error(arguments.operands[0] + ": is empty");
  const auto header = sign_header({.product = *product,
                                   .hardware = *hardware,
                                   .version = *version,
                                   .security_counter = counter,
                                   .payload_bytes = payload->size(),
                                   .payload_hash = port::sha256(*payload)},
                                  *key);
  Content image(header.begin(), header.end());
  image.insert(image.end(), payload->begin(), payload->end());
  if (const auto written = write_all_to(arguments.operands[1], image, false); !written)
    return Error(written.error());
  return std::string{};
}

Outcome<std::string> sign(const Arguments& arguments) {
  const std::string& path = arguments.operands[0];
  auto key = read_private_key(arguments.value("--key", ""));
  if (!key) return Error(key.error());
  auto image = read_all(path);
  if (!image) return Error(image.error());
  const auto header = header_of(path, *image);
  if (!header) return Error(header.error());
  // A new signature must not vouch for a payload that the old one did not.
  if (const auto wrong = check_payload(*header, *image))
    return Error(path + ": " + std::string(describe(*wrong)));
  std::ranges::copy(sign_header(*header, *key), image->begin());
  if (const auto written = write_all_to(path, *image, false); !written) return Error(written.error());
  return std::string{};
}

Outcome<std::string> inspect(const Arguments& arguments) {
  const std::string& path = arguments.operands[0];
  const auto image = read_all(path);
  if (!image) return Error(image.error());
  const auto header = header_of(path, *image);
  if (!header) return Error(header.error());
  const auto wrong = check_payload(*header, *image);
  const std::pair<std::string, std::string> texts[] = {{"product", std::string(header->product.view())},
                                                       {"hardware", std::string(header->hardware.view())},
                                                       {"version", std::string(header->version.view())},
                                                       {"payload_sha256", hex(header->payload_hash)},
                                                       {"image_sha256", hex(port::sha256(*image))},
                                                       {"key_id", hex(header->key_id)},
                                                       {"payload", wrong ? std::string(name(*wrong)) : "ok"}};
  const std::pair<std::string, std::uint64_t> numbers[] = {{"security_counter", header->security_counter},
                                                           {"payload_bytes", header->payload_bytes}};
  const bool json = arguments.value("-o", "text") == "json";
  std::string out = json ? "{" : "";
  // A label may hold quotes and backslashes.
  const auto quoted = [](const std::string& text) {
    std::string result = "\"";
    for (const char c : text) result += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return result + "\"";
  };
  for (const auto& [key, value] : texts) {
    out += json ? quoted(key) + ": " + quoted(value) + ", " : key + ": " + value + "\n";
  }
  for (const auto& [key, value] : numbers) {
    out +=
        json ? quoted(key) + ": " + std::to_string(value) + ", " : key + ": " + std::to_string(value) + "\n";
  }
  if (json) out.replace(out.size() - 2, 2, "}\n");
  return out;
}

Outcome<std::string> verify(const Arguments& arguments) {
  const std::string& path = arguments.operands[0];
  const std::string key_path = arguments.value("--key", "");
  const auto pem = read_all(key_path);
  if (!pem) return Error(pem.error());
  const auto key = port::public_key_from_pem(as_text(*pem));
  if (!key) return Error(key_path + ": " + key.error());
  const auto image = read_all(path);
  if (!image) return Error(image.error());
  const auto header = header_of(path, *image);
  if (!header) return Error(header.error());
  const auto product = label(arguments, "--product", std::string(header->product.view()));
  const auto hardware = label(arguments, "--hardware", std::string(header->hardware.view()));
  if (!product) return Error(product.error());
  if (!hardware) return Error(hardware.error());
  port::TrustedKeys keys;
  keys.add(*key);
  const auto checked = check_header(*image, {.product = *product, .hardware = *hardware}, keys);
  const auto wrong = checked ? check_payload(*header, *image) : checked.error();
  if (wrong) return Error(path + ": " + std::string(describe(*wrong)));
  return path + ": good, version " + std::string(header->version.view()) + "\n";
}

struct Command {
  std::string_view name;
  std::size_t operands;
  std::vector<std::string> options;  // that it takes; the first `required` of them must be there
  std::size_t required;
  Outcome<std::string> (*run)(const Arguments&);
};

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      {"keygen", 1, {}, 0, keygen},
      {"build", 2, {"--key", "--version", "--hardware", "--product", "--security-counter"}, 2, build},
      {"sign", 1, {"--key"}, 1, sign},
      {"inspect", 1, {"-o"}, 0, inspect},
      {"verify", 1, {"--key", "--hardware", "--product"}, 1, verify},
  };
  return commands;
}

std::expected<Arguments, UsageError> parse(const Command& command, const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with('-')) {
      arguments.operands.push_back(words[i]);
      continue;
    }
    if (std::ranges::find(command.options, words[i]) == command.options.end()) {
      return std::unexpected(UsageError{"unknown option " + words[i]});
    }
    if (i + 1 == words.size()) return std::unexpected(UsageError{words[i] + ": value missing"});
    arguments.options[words[i]] = words[i + 1];
    ++i;
  }
  for (std::size_t i = 0; i < command.required; ++i) {
    if (!arguments.options.contains(command.options[i])) {
      return std::unexpected(UsageError{command.options[i] + " is missing"});
    }
  }
  const std::string format = arguments.value("-o", "text");
  if (format != "text" && format != "json") return std::unexpected(UsageError{"-o: text or json"});
  if (arguments.operands.size() != command.operands)
    return std::unexpected(UsageError{"wrong number of files"});
  return arguments;
}

}  // namespace

int run_image_tool(const std::vector<std::string>& words, std::string& out, std::string& err) {
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) return out = kHelp, 0;
  const auto command = std::ranges::find(all_commands(), words.empty() ? "" : words[0], &Command::name);
  if (command == all_commands().end()) return err = kHelp, 2;
  const auto arguments = parse(*command, words);
  if (!arguments) {
    err = "mqboard-image: " + arguments.error().text + "; see mqboard-image --help\n";
    return 2;
  }
  const auto outcome = command->run(*arguments);
  if (!outcome) return err = "mqboard-image: " + outcome.error() + "\n", 1;
  out = *outcome;
  return 0;
}

}  // namespace mqboard::boot
