// The opening handshake (RFC 6455, section 4): the only place that knows HTTP, and Beast.
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
// Beast is compiled here, and of it only what parses HTTP: all of <boost/beast/src.hpp> is 200 KB more.
#include <boost/beast/core/detail/impl/temporary_buffer.ipp>
#include <boost/beast/core/impl/string.ipp>
#include <boost/beast/http/detail/basic_parser.ipp>
#include <boost/beast/http/detail/rfc7230.ipp>
#include <boost/beast/http/impl/basic_parser.ipp>
#include <boost/beast/http/impl/error.ipp>
#include <boost/beast/http/impl/field.ipp>
#include <boost/beast/http/impl/fields.ipp>
#include <boost/beast/http/impl/rfc7230.ipp>
#include <boost/beast/http/impl/status.ipp>
#include <boost/beast/http/impl/verb.ipp>

#include "mqtt/websocket.hpp"

namespace mqboard::mqtt {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kMaxAnswer = 8 * 1024;

std::string base64(Bytes bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string make_key() {
  std::array<std::uint8_t, 16> nonce;
  RAND_bytes(nonce.data(), static_cast<int>(nonce.size()));
  return base64(nonce);
}

// What a server that understood the key answers (section 4.2.2).
std::string accepted(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64(Bytes(digest).first(size));
}

std::string target_of(const Endpoint& endpoint) {
  return endpoint.target.empty() ? "/mqtt" : endpoint.target;
}

std::string request(const Endpoint& endpoint, const std::string& key) {
  return "GET " + target_of(endpoint) + " HTTP/1.1\r\nHost: " + endpoint.name() +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
         "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
}

using Parser = http::response_parser<http::empty_body>;

// Why the answer does not open a WebSocket; empty if it does.
std::string objection(const Parser::value_type& answer, const std::string& key) {
  if (answer.result() != http::status::switching_protocols) {
    std::string said = "HTTP " + std::to_string(answer.result_int());
    if (!answer.reason().empty()) said.append(" ").append(answer.reason());
    if (const auto elsewhere = answer[http::field::location]; !elsewhere.empty()) {
      said.append(", go to ").append(elsewhere);
    }
    return said;
  }
  const bool upgraded = boost::beast::iequals(answer[http::field::upgrade], "websocket") &&
                        http::token_list(answer[http::field::connection]).exists("upgrade") &&
                        answer[http::field::sec_websocket_accept] == accepted(key);
  if (!upgraded) return "its answer is not that of a WebSocket server";
  if (answer[http::field::sec_websocket_protocol] != "mqtt") return "it does not speak the subprotocol mqtt";
  if (answer.count(http::field::sec_websocket_extensions) != 0)
    return "it uses an extension nobody asked for";
  return {};
}

std::unexpected<Error> failed(const Attempt& attempt, const IoResult& result) {
  const std::string what = result.detail.empty() ? make_error_code(result.error).message() : result.detail;
  return attempt.error(result.error, what + " during the WebSocket handshake");
}

asio::awaitable<Result<void>> send_all(Attempt& attempt, Transport& transport, std::string text) {
  for (Bytes rest = as_bytes(text);;) {
    const IoResult result = transport.write({&rest, 1});
    if (result.failed()) co_return failed(attempt, result);
    rest = rest.subspan(result.bytes);
    if (rest.empty() && !result.blocked) co_return Result<void>{};
    auto ready = co_await attempt.wait_ready(transport, Ready::write);
    if (!ready) co_return ready;
  }
}

// The server's answer; what came behind it is left in `early`.
asio::awaitable<Result<void>> receive_answer(Attempt& attempt, Transport& transport, Parser& parser,
                                             std::vector<std::uint8_t>& early) {
  while (!parser.is_header_done()) {
    const std::size_t old = early.size();
    early.resize(kMaxAnswer);
    const IoResult result = transport.read(MutableBytes(early).subspan(old));
    early.resize(old + result.bytes);
    if (result.failed()) co_return failed(attempt, result);
    boost::system::error_code error;
    const std::size_t used = parser.put(asio::buffer(early), error);
    early.erase(early.begin(), early.begin() + static_cast<std::ptrdiff_t>(used));
    if (error && error != http::error::need_more) {
      co_return attempt.error(Errc::websocket_refused, "not a WebSocket server: " + error.message());
    }
    if (early.size() == kMaxAnswer) co_return attempt.error(Errc::websocket_refused, "answer too long");
    if (!result.blocked || parser.is_header_done()) continue;
    auto ready = co_await attempt.wait_ready(transport, Ready::read);
    if (!ready) co_return ready;
  }
  co_return Result<void>{};
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<Transport>>> open_websocket(Attempt& attempt,
                                                                   std::unique_ptr<Transport> below,
                                                                   const Endpoint& endpoint) {
  const std::string key = make_key();
  auto sent = co_await send_all(attempt, *below, request(endpoint, key));
  if (!sent) co_return std::unexpected(std::move(sent.error()));
  Parser parser;
  parser.header_limit(kMaxAnswer / 2);
  parser.skip(true);
  std::vector<std::uint8_t> early;
  auto received = co_await receive_answer(attempt, *below, parser, early);
  if (!received) co_return std::unexpected(std::move(received.error()));
  if (const std::string why = objection(parser.get(), key); !why.empty()) {
    co_return attempt.error(Errc::websocket_refused,
                            "server refuses WebSocket at " + target_of(endpoint) + ": " + why);
  }
  co_return make_websocket_transport(attempt.executor, std::move(below), std::move(early));
}

}  // namespace mqboard::mqtt
