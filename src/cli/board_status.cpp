#include "cli/board_status.hpp"

#include <nlohmann/json.hpp>

namespace mqboard::cli {

namespace {

using Json = nlohmann::ordered_json;

Json parse(std::string_view text) { return Json::parse(text, nullptr, false); }

bool flag(const Json& object, const char* name, bool otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

template<class Number>
Number number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<Number>() : Number{0};
}

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void flatten_into(const Json& value, const std::string& name, std::vector<StatusField>& fields) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      flatten_into(member, name.empty() ? key : name + "." + key, fields);
    }
    return;
  }
  if (!value.is_array()) {
    fields.push_back({name, as_text(value), value.dump()});
    return;
  }
  std::string list;
  for (const Json& element : value) list += std::string(list.empty() ? "" : ", ").append(as_text(element));
  fields.push_back({name, list, value.dump()});
}

}  // namespace

BoardStatus parse_status(std::string_view json) {
  BoardStatus status;
  status.present = true;
  status.text = json;
  const Json root = parse(json);
  if (!root.is_object()) {
    status.online = true;  // something is there, and it is not saying that the board is gone
    return status;
  }
  status.valid = true;
  status.online = flag(root, "online", true);
  if (const auto firmware = root.find("firmware"); firmware != root.end() && firmware->is_object()) {
    if (const auto version = firmware->find("version"); version != firmware->end())
      status.version = as_text(*version);
  }
  if (const auto protocols = root.find("protocols"); protocols != root.end() && protocols->is_array()) {
    for (const Json& protocol : *protocols) status.v2 = status.v2 || protocol == 2;
    status.acknowledges_put = true;
  }
  status.acknowledges_put = flag(root, "put_ack", status.acknowledges_put);
  status.session = number<std::uint64_t>(root, "epoch");
  if (const auto channel = root.find("channel"); channel != root.end() && channel->is_object()) {
    status.channel_window = number<std::uint32_t>(*channel, "credit");
    status.channel_frame = number<std::uint32_t>(*channel, "largest");
  }
  status.sleeping = !status.online && flag(root, "sleeping", false);
  status.wakes_at_s = number<std::int64_t>(root, "wakes_at");
  status.made_at_s = number<std::int64_t>(root, "connected_at");
  if (const auto reason = root.find("reason"); reason != root.end()) status.reason = as_text(*reason);
  return status;
}

std::vector<StatusField> flatten(std::string_view json) {
  std::vector<StatusField> fields;
  const Json root = parse(json);
  if (root.is_object()) flatten_into(root, "", fields);
  return fields;
}

}  // namespace mqboard::cli
