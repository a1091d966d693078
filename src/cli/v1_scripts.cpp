#include "cli/v1_scripts.hpp"

#include <array>
#include <charconv>

#include <fmt/core.h>

#include "core/base/file_system.hpp"
#include "core/command/status.hpp"

namespace mqboard::cli {

namespace v1_script {

namespace {

constexpr std::string_view kIsDirectory = " def isdir(p):return uos.stat(p)[0]&0x4000\n";

constexpr std::string_view kSha =
    " def sha(p):\n"
    "  import uhashlib,ubinascii\n"
    "  h=uhashlib.sha256();b=bytearray(1024);m=memoryview(b)\n"
    "  with open(p,'rb') as f:\n"
    "   while 1:\n"
    "    n=f.readinto(b)\n"
    "    if not n:break\n"
    "    h.update(m[:n])\n"
    "  return ubinascii.hexlify(h.digest()).decode()\n";

// The body's lines are indented by one space.
std::string script(std::string_view body) {
  return fmt::format("import uos\ndef _mqb():\n{}try:_mqb()\nfinally:del _mqb\n", body);
}

std::string_view trimmed(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.empty() || path == "." ? "/" : path;
}

void append_code_point(std::string& out, std::uint32_t code) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6), byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | (code >> 18 & 7)), byte(0x80 | (code >> 12 & 0x3f)), byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

// Takes an escape's letter and digits off the front; false when malformed.
bool take_escape(std::string_view& rest, std::string& out) {
  if (rest.empty()) return false;
  const char letter = rest.front();
  rest.remove_prefix(1);
  switch (letter) {
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 't':
      out += '\t';
      return true;
    case '\\':
    case '\'':
    case '"':
      out += letter;
      return true;
    default:
      break;
  }
  const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  std::uint32_t code = 0;
  if (digits == 0 || rest.size() < digits ||
      std::from_chars(rest.data(), rest.data() + digits, code, 16).ptr != rest.data() + digits) {
    return false;
  }
  append_code_point(out, code);
  rest.remove_prefix(digits);
  return true;
}

std::optional<Entry> parse_entry(std::string_view line) {
  // "d 0 - '/lib'" or "f 123 <sha or -> '/main.py'"
  std::array<std::string_view, 3> fields;
  for (std::string_view& field : fields) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    field = line.substr(0, space);
    line.remove_prefix(space + 1);
  }
  Entry entry;
  entry.directory = fields[0] == "d";
  if (!entry.directory && fields[0] != "f") return std::nullopt;
  const std::string_view size = fields[1];
  const auto parsed = std::from_chars(size.data(), size.data() + size.size(), entry.size);
  if (parsed.ec != std::errc{} || parsed.ptr != size.data() + size.size()) return std::nullopt;
  if (fields[2] != "-") entry.sha256 = fields[2];
  auto path = unquote(line);
  if (!path) return std::nullopt;
  entry.path = std::move(*path);
  return entry;
}

}  // namespace

std::string quote(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'') {
      literal += '\\';
      literal += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      literal += fmt::format("\\x{:02x}", byte);
    } else {
      literal += c;
    }
  }
  return literal + "'";
}

std::optional<std::string> unquote(std::string_view literal) {
  if (literal.size() < 2 || (literal.front() != '\'' && literal.front() != '"')) return std::nullopt;
  const char mark = literal.front();
  std::string text;
  std::string_view rest = literal.substr(1);
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == mark) return rest.empty() ? std::optional(text) : std::nullopt;
    if (c != '\\') {
      text += c;
    } else if (!take_escape(rest, text)) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::string list(std::string_view path, bool recursive, bool sha) {
  return script(
      fmt::format("{}{}"
                  " def show(d,n,p):print('d' if d else 'f',n,{},repr(p))\n"
                  " def walk(d):\n"
                  "  for f in uos.ilistdir(d or '/'):\n"
                  "   p=d+'/'+f[0];i=f[1]&0x4000\n"
                  "   show(i,f[3] if len(f)>3 and not i else 0,p)\n"
                  "   if i and {}:walk(p)\n"
                  " p={}\n"
                  " if isdir(p):walk(p if p!='/' else '')\n"
                  " else:show(0,uos.stat(p)[6],p)\n",
                  kIsDirectory, sha ? kSha : "", sha ? "'-' if d else sha(p)" : "'-'", recursive ? 1 : 0,
                  quote(trimmed(path))));
}

std::string stat(std::string_view path, bool sha) {
  return script(
      fmt::format("{}{} p={}\n d=isdir(p)\n print('d' if d else 'f',0 if d else uos.stat(p)[6],{},repr(p))\n",
                  kIsDirectory, sha ? kSha : "", quote(trimmed(path)), sha ? "'-' if d else sha(p)" : "'-'"));
}

Result<std::vector<Entry>> parse_list(std::string_view output) {
  std::vector<Entry> entries;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto entry = parse_entry(line);
    if (!entry)
      return fail(ExitStatus::board_error, fmt::format("the board's answer makes no sense: {}", line));
    entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string make_directory(std::string_view path, bool parents) {
  if (!parents) return script(fmt::format(" uos.mkdir({})\n", quote(trimmed(path))));
  return script(
      fmt::format(" p={}\n"
                  " q='/' if p[0]=='/' else ''\n"
                  " for c in p.split('/'):\n"
                  "  if not c:continue\n"
                  "  q+=c\n"
                  "  try:i=uos.stat(q)[0]&0x4000\n"
                  "  except OSError:uos.mkdir(q);i=1\n"
                  "  if not i:raise OSError('ENOTDIR')\n"
                  "  q+='/'\n",
                  quote(trimmed(path))));
}

std::string remove(std::string_view path, bool recursive, bool force) {
  return script(
      fmt::format("{}"
                  " def rm(p):\n"
                  "  for f in uos.ilistdir(p):\n"
                  "   q=p+'/'+f[0]\n"
                  "   if f[1]&0x4000:rm(q)\n"
                  "   else:uos.remove(q)\n"
                  "  uos.rmdir(p)\n"
                  " p={}\n"
                  "{}"
                  " if not isdir(p):uos.remove(p)\n"
                  " elif {}:rm(p)\n"
                  " else:raise OSError('EISDIR')\n",
                  kIsDirectory, quote(trimmed(path)), force ? " try:isdir(p)\n except OSError:return\n" : "",
                  recursive ? 1 : 0));
}

std::string remove_directory(std::string_view path) {
  return script(fmt::format("{} p={}\n if not isdir(p):raise OSError('ENOTDIR')\n uos.rmdir(p)\n",
                            kIsDirectory, quote(trimmed(path))));
}

// FAT does not rename onto an existing file.
std::string rename(std::string_view from, std::string_view to) {
  return script(
      fmt::format("{} a={};b={}\n"
                  " isdir(a)\n"
                  " try:i=isdir(b)\n"
                  " except OSError:i=-1\n"
                  " if i>0:b=(b if b!='/' else '')+'/'+a.split('/')[-1]\n"
                  " try:uos.rename(a,b)\n"
                  " except OSError:\n"
                  "  if i:raise\n"
                  "  uos.remove(b);uos.rename(a,b)\n",
                  kIsDirectory, quote(trimmed(from)), quote(trimmed(to))));
}

std::string replace_verified(std::string_view temporary, std::string_view path, std::string_view sha256) {
  return script(
      fmt::format("{} a={};b={}\n"
                  " if sha(a)!={}:uos.remove(a);raise OSError('EILSEQ')\n"
                  " try:uos.rename(a,b)\n"
                  " except OSError:uos.remove(b);uos.rename(a,b)\n",
                  kSha, quote(temporary), quote(path), quote(sha256)));
}

std::string info() {
  return script(
      " import gc,sys,time\n"
      " def show(n,f):\n"
      "  try:print(n,f())\n"
      "  except Exception:pass\n"
      " show('machine',lambda:uos.uname().machine)\n"
      " show('system',lambda:uos.uname().sysname)\n"
      " show('version',lambda:uos.uname().version)\n"
      " show('implementation',lambda:sys.implementation[0])\n"
      " show('memory_free',gc.mem_free)\n"
      " show('memory_used',gc.mem_alloc)\n"
      " def flash(i):\n"
      "  s=uos.statvfs('/');return s[1]*s[i]\n"
      " show('flash_size',lambda:flash(2))\n"
      " show('flash_free',lambda:flash(3))\n"
      " show('uptime_ms',lambda:time.ticks_ms())\n");
}

std::string touch(std::string_view path) {
  return script(fmt::format(" with open({},'ab') as f:f.write(b'')\n", quote(trimmed(path))));
}

std::string space() { return script(" s=uos.statvfs('/');print(s[1]*s[2],s[1]*s[3])\n"); }

// Safe and normal are what the Python mqboard's watchdog module knows; it delays by itself.
std::string reset(std::string_view mode) {
  if (mode == "safe" || mode == "normal") {
    return fmt::format("import sys\nsys.modules['watchdog'].reset({})\n", mode == "safe" ? "False" : "True");
  }
  return fmt::format(
      "import machine,uasyncio\n"
      "async def _mqb():\n"
      " await uasyncio.sleep_ms(500)\n"
      " machine.{}()\n"
      "(getattr(uasyncio,'create_task',None) or uasyncio.Loop.create_task)(_mqb())\n",
      mode == "soft" ? "soft_reset" : "reset");
}

std::string set_log_level(std::string_view logger, unsigned level) {
  return fmt::format("import logging\nlogging.getLogger({}).setLevel({})\n", quote(logger), level);
}

std::string as_statements(std::string_view source) { return fmt::format("{}\npass", source); }

}  // namespace v1_script

namespace {

constexpr std::array kErrors{FsError::not_found,      FsError::exists,        FsError::not_a_directory,
                             FsError::is_a_directory, FsError::not_empty,     FsError::no_space,
                             FsError::access,         FsError::escapes,       FsError::invalid,
                             FsError::too_long,       FsError::too_many_open, FsError::io};

// The errno numbers of the ports the Python mqboard runs on.
struct Number {
  int number;
  std::string_view name;
};
constexpr std::array kNumbers{Number{1, "EPERM"},   Number{2, "ENOENT"},    Number{5, "EIO"},
                              Number{13, "EACCES"}, Number{17, "EEXIST"},   Number{20, "ENOTDIR"},
                              Number{21, "EISDIR"}, Number{22, "EINVAL"},   Number{24, "EMFILE"},
                              Number{28, "ENOSPC"}, Number{39, "ENOTEMPTY"}};

std::string_view last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  const std::size_t start = text.rfind('\n');
  return start == std::string_view::npos ? text : text.substr(start + 1);
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// "ENOENT" out of "OSError: [Errno 2] ENOENT", "OSError: ENOENT", "OSError: 2", "OSError: -2".
std::string_view errno_in(std::string_view line) {
  for (std::size_t at = line.find('E'); at != std::string_view::npos; at = line.find('E', at + 1)) {
    std::size_t end = at;
    while (end < line.size() && is_upper(line[end])) ++end;
    const bool starts_word = at == 0 || line[at - 1] == ' ' || line[at - 1] == ']';
    if (starts_word && end - at >= 3 && (end == line.size() || line[end] == ':' || line[end] == ' ')) {
      return line.substr(at, end - at);
    }
  }
  const std::size_t digit = line.find_first_of("0123456789");
  if (!line.starts_with("OSError") || digit == std::string_view::npos) return {};
  int number = 0;
  std::from_chars(line.data() + digit, line.data() + line.size(), number);
  for (const Number& known : kNumbers) {
    if (known.number == number) return known.name;
  }
  return {};
}

std::optional<FsError> file_error(std::string_view name) {
  if (name == "EPERM") name = "EACCES";
  if (name == "ELOOP") name = "EXDEV";
  for (const FsError error : kErrors) {
    if (errno_name(error) == name) return error;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> v1_script::exit_status(std::string_view error_text) {
  std::string_view line = last_line(error_text);
  constexpr std::string_view kName = "SystemExit";
  if (!line.starts_with(kName)) return std::nullopt;
  line.remove_prefix(kName.size());
  while (line.starts_with(':') || line.starts_with(' ')) line.remove_prefix(1);
  if (line.empty() || line == "None") return 0;
  int status = 1;
  std::from_chars(line.data(), line.data() + line.size(), status);
  return status & 0xff;
}

Failure explain(std::string_view error_text, std::string_view thing) {
  const std::string_view line = last_line(error_text);
  Failure failure{.status = ExitStatus::board_error, .message = {}, .detail = std::string(error_text)};
  if (line.starts_with("Command '") && line.ends_with("not supported")) {
    failure.message = fmt::format("the board does not support this: {}", line);
    failure.code = command::name(command::StatusCode::unsupported);
    return failure;
  }
  const std::string_view name = errno_in(line);
  if (name == "EILSEQ") {
    failure.status = ExitStatus::integrity;
    failure.message = fmt::format("{}: what the board stored is not what was sent", thing);
    failure.code = command::name(command::StatusCode::integrity);
    return failure;
  }
  const auto error = file_error(name);
  failure.message = fmt::format("{}: {}", thing, error ? describe(*error) : line);
  if (error) failure.code = command::name(command::status_code(*error));
  return failure;
}

}  // namespace mqboard::cli
