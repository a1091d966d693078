// Conversations recorded between the original CLI and the original board. A message whose content is unknown
// or irrelevant is given by its first bytes and its length.
#pragma once

#include <span>
#include <string_view>

namespace mqboard::command::testing {

struct RecordedMessage {
  enum class From : char { cli = 'c', board = 'b' } from;
  std::string_view topic;  // after <p>/mqb/
  std::size_t length;
  std::string_view hex;  // all of it, or its first bytes
};

struct RecordedConversation {
  std::string_view name;
  std::span<const RecordedMessage> messages;
  bool succeeds;
};

inline constexpr std::string_view kRecordedPrefix = "esp32/test";
inline constexpr auto kCli = RecordedMessage::From::cli;
inline constexpr auto kBoard = RecordedMessage::From::board;

inline constexpr RecordedMessage kEvalExpr[] = {{kCli, "cmd/eval/jh_IfBCj", 8, "800034352b383736"},
                                                {kBoard, "reply/out/jh_IfBCj", 5, "ffff393231"}};
inline constexpr RecordedMessage kEvalError[] = {{kCli, "cmd/eval/ZslfwIUJ", 5, "8000312f30"},
                                                 {kBoard, "reply/err/ZslfwIUJ", 189, "5472616365626163"}};
inline constexpr RecordedMessage kEvalExec[] = {
    {kCli, "cmd/eval/S7bT33WO", 39,
     "8000696d706f7274207379733b207072696e74287379732e696d706c656d656e746174696f6e29"},
    {kBoard, "reply/out/S7bT33WO", 140, "ffff286e616d653d276d6963726f707974686f6e27"}};
inline constexpr RecordedMessage kEvalLong[] = {{kCli, "cmd/eval/EkPZ4uGW", 10, "80002278222a35303030"},
                                                {kBoard, "reply/out/EkPZ4uGW", 5004, "ffff277878787878"}};
inline constexpr RecordedMessage kGetEmpty[] = {{kCli, "cmd/get/r6AkSIEy//g1/empty", 2, "8000"},
                                                {kBoard, "reply/out/r6AkSIEy", 2, "8000"}};
inline constexpr RecordedMessage kGetSmall[] = {{kCli, "cmd/get/U4KA5NoT//g1/small", 2, "8000"},
                                                {kBoard, "reply/out/U4KA5NoT", 8, "000068656c6c6f0a"},
                                                {kBoard, "reply/out/U4KA5NoT", 2, "8001"}};
inline constexpr RecordedMessage kGet5000[] = {{kCli, "cmd/get/5SBetYnz//g1/f5000", 2, "8000"},
                                               {kBoard, "reply/out/5SBetYnz", 2802, "0000"},
                                               {kBoard, "reply/out/5SBetYnz", 2202, "0001"},
                                               {kBoard, "reply/out/5SBetYnz", 2, "8002"}};
inline constexpr RecordedMessage kGetMissing[] = {{kCli, "cmd/get/_GPo2dXN//g1/nothere", 2, "8000"},
                                                  {kBoard, "reply/err/_GPo2dXN", 143, "5472616365626163"}};
inline constexpr RecordedMessage kPutEmpty[] = {{kCli, "cmd/put/cxKXlfon//g1/empty", 2, "8000"},
                                                {kBoard, "reply/out/cxKXlfon", 4, "ffff4f4b"}};
inline constexpr RecordedMessage kPutSmall[] = {{kCli, "cmd/put/5uJJJZPg//g1/small", 8, "800068656c6c6f0a"},
                                                {kBoard, "reply/out/5uJJJZPg", 4, "ffff4f4b"}};
inline constexpr RecordedMessage kPut1400[] = {{kCli, "cmd/put/-qbIVn4T//g1/f1400", 1402, "8000"},
                                               {kBoard, "reply/out/-qbIVn4T", 4, "ffff4f4b"}};
inline constexpr RecordedMessage kPut5000[] = {{kCli, "cmd/put/WFHzxzI_//g1/f5000", 1402, "0000"},
                                               {kCli, "cmd/put/WFHzxzI_//g1/f5000", 1402, "0001"},
                                               {kCli, "cmd/put/WFHzxzI_//g1/f5000", 1402, "0002"},
                                               {kCli, "cmd/put/WFHzxzI_//g1/f5000", 802, "8003"},
                                               {kBoard, "reply/out/WFHzxzI_", 4, "ffff4f4b"}};
inline constexpr RecordedMessage kPutMissingDirectory[] = {
    {kCli, "cmd/put/1zuUdivK//nodir/x", 8, "800068656c6c6f0a"},
    {kBoard, "reply/err/1zuUdivK", 143, "5472616365626163"}};
inline constexpr RecordedMessage kOta4096[] = {
    {kCli, "cmd/ota/u4mRf6C1/3fd905fca0dcc27d8ea0970745133822c8862025a11c52f8b556de59d2888925", 1402, "0000"},
    {kCli, "cmd/ota/u4mRf6C1/3fd905fca0dcc27d8ea0970745133822c8862025a11c52f8b556de59d2888925", 1402, "0001"},
    {kCli, "cmd/ota/u4mRf6C1/3fd905fca0dcc27d8ea0970745133822c8862025a11c52f8b556de59d2888925", 1298, "8002"},
    {kBoard, "reply/out/u4mRf6C1", 7, "ffff5345512030"},
    {kBoard, "reply/out/u4mRf6C1", 4, "ffff4f4b"}};

inline constexpr RecordedConversation kRecorded[] = {{"eval_expr", kEvalExpr, true},
                                                     {"eval_error", kEvalError, false},
                                                     {"eval_exec", kEvalExec, true},
                                                     {"eval_long_output", kEvalLong, true},
                                                     {"get_empty", kGetEmpty, true},
                                                     {"get_small", kGetSmall, true},
                                                     {"get_5000", kGet5000, true},
                                                     {"get_missing", kGetMissing, false},
                                                     {"put_empty", kPutEmpty, true},
                                                     {"put_small", kPutSmall, true},
                                                     {"put_1400", kPut1400, true},
                                                     {"put_5000", kPut5000, true},
                                                     {"put_missing_dir", kPutMissingDirectory, false},
                                                     {"ota_4096", kOta4096, true}};

// An ota of 107 full messages and one of 202 bytes: where the acknowledgements came, as (CLI messages before,
// number).
struct RecordedAcknowledgement {
  int after_cli_messages;
  int sequence;
};
inline constexpr int kOta150kMessages = 108;
inline constexpr RecordedAcknowledgement kOta150kAcknowledgements[] = {
    {16, 0},  {16, 8},  {17, 16}, {33, 24}, {33, 32}, {41, 40}, {57, 48},
    {57, 56}, {65, 64}, {81, 72}, {81, 80}, {89, 88}, {97, 96}, {108, 104}};

}  // namespace mqboard::command::testing
