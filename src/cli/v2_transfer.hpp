// Moving content over channels until it is there: what the board or this side has of it already is kept and
// continued after a lost connection, a restarted broker, a restarted board.
#pragma once

#include <functional>
#include <string>

#include "cli/board.hpp"
#include "cli/v2_operation.hpp"

namespace mqboard::cli {

asio::awaitable<Result<>> v2_get(ChannelLink& link, std::string path, ContentSink& into, Mover moved);

// put and ota_install: `make_head` begins the request, to which size, hash and resume are added.
asio::awaitable<Result<>> v2_send(ChannelLink& link, std::function<Head()> make_head, std::string thing,
                                  Bytes content, Mover moved);

}  // namespace mqboard::cli
