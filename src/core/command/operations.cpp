#include "core/command/operations.hpp"

#include <algorithm>
#include <array>

namespace mqboard::command {
namespace {

// What a request needs beside Field::operation.
struct Row {
  Operation operation;
  std::string_view name;
  std::array<Field, 3> needs{};  // 0: none
};

constexpr std::array kRows{
    Row{Operation::eval, "eval"},
    Row{Operation::exec, "exec"},
    Row{Operation::repl, "repl"},
    Row{Operation::interrupt, "interrupt"},
    Row{Operation::get, "get", {Field::path}},
    Row{Operation::put, "put", {Field::path, Field::size, Field::sha256}},
    Row{Operation::list, "list", {Field::path}},
    Row{Operation::stat, "stat", {Field::path}},
    Row{Operation::make_dir, "make_dir", {Field::path}},
    Row{Operation::remove, "remove", {Field::path}},
    Row{Operation::remove_dir, "remove_dir", {Field::path}},
    Row{Operation::rename, "rename", {Field::path, Field::to}},
    Row{Operation::space, "space"},
    Row{Operation::touch, "touch", {Field::path}},
    Row{Operation::info, "info"},
    Row{Operation::reset, "reset", {Field::mode}},
    Row{Operation::log_follow, "log_follow"},
    Row{Operation::log_level, "log_level"},
    Row{Operation::crash_list, "crash_list"},
    Row{Operation::crash_get, "crash_get", {Field::name}},
    Row{Operation::crash_remove, "crash_remove"},
    Row{Operation::ota_install, "ota_install", {Field::size, Field::sha256}},
    Row{Operation::ota_status, "ota_status"},
    Row{Operation::ota_confirm, "ota_confirm"},
    Row{Operation::ota_rollback, "ota_rollback"},
};

enum class Shape : std::uint8_t { number, text, hash, flag };

Shape shape(Field field) {
  switch (field) {
    case Field::path:
    case Field::to:
    case Field::source:
    case Field::name:
    case Field::argument:
    case Field::text:
      return Shape::text;
    case Field::sha256:
      return Shape::hash;
    case Field::recursive:
    case Field::parents:
    case Field::missing_ok:
    case Field::hashes:
    case Field::resume:
    case Field::identical:
    case Field::since_boot:
      return Shape::flag;
    default:
      return Shape::number;
  }
}

bool is_well_formed(const Fields& fields, Field field) {
  switch (shape(field)) {
    case Shape::number:
      return fields.number(field).has_value();
    case Shape::text:
      return fields.text(field).has_value();
    case Shape::hash:
      return hash_field(fields, field).has_value();
    case Shape::flag:
      return true;
  }
  return false;
}

Failure<Status> malformed(std::string_view what, std::uint64_t number) {
  Status status{StatusCode::malformed, what};
  status.text.append(" ").append(number);
  return Failure<Status>(status);
}

}  // namespace

std::string_view name(Operation operation) {
  const auto row = std::ranges::find(kRows, operation, &Row::operation);
  return row == kRows.end() ? "unknown" : row->name;
}

bool is_known(Field field) {
  const auto id = static_cast<std::uint8_t>(field);
  return id >= static_cast<std::uint8_t>(Field::operation) && id <= static_cast<std::uint8_t>(Field::free);
}

std::optional<Sha256> hash_field(const Fields& fields, Field id) {
  const auto value = fields.find(id);
  Sha256 hash;
  if (!value || value->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*value, hash.begin());
  return hash;
}

std::optional<Sha256> Request::sha256() const { return hash_field(fields); }

Result<Request, Status> parse_request(Bytes head) {
  const Fields fields(head);
  if (!fields.well_formed([](Field) { return true; }))
    return Failure<Status>({StatusCode::malformed, "the request is cut short"});
  if (!fields.well_formed(is_known))
    return Failure<Status>({StatusCode::unsupported, "the request has a field this board does not know"});
  const auto number = fields.number(Field::operation);
  if (!number) return Failure<Status>({StatusCode::malformed, "the request names no operation"});
  const auto row = std::ranges::find_if(
      kRows, [&](const Row& r) { return static_cast<std::uint8_t>(r.operation) == *number; });
  if (row == kRows.end()) {
    Status status{StatusCode::unsupported, "no such operation:"};
    status.text.append(" ").append(*number);
    return Failure<Status>(status);
  }
  for (const Field field : row->needs)
    if (static_cast<int>(field) != 0 && !fields.flag(field))
      return malformed("the request lacks field", static_cast<std::uint8_t>(field));
  for (std::uint8_t id = 1; is_known(static_cast<Field>(id)); ++id)
    if (fields.flag(static_cast<Field>(id)) && !is_well_formed(fields, static_cast<Field>(id)))
      return malformed("the request has a malformed field", id);
  return Request{row->operation, fields};
}

}  // namespace mqboard::command
