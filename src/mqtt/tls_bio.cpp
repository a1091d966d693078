#include "mqtt/tls_bio.hpp"

namespace mqboard::mqtt {
namespace {

BioLink& link_of(BIO* bio) { return *static_cast<BioLink*>(BIO_get_data(bio)); }

int finish(BIO* bio, const IoResult& result, int retry_flag, std::size_t* moved) {
  *moved = result.bytes;
  BIO_clear_retry_flags(bio);
  if (result.bytes != 0) return 1;
  const bool reading = retry_flag == BIO_FLAGS_READ;
  if (result.failed()) (reading ? link_of(bio).read_error : link_of(bio).write_error) = result.error;
  if (!result.failed() || !reading) BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
  return 0;
}

int write(BIO* bio, const char* data, std::size_t size, std::size_t* moved) {
  const Bytes piece(reinterpret_cast<const std::uint8_t*>(data), size);
  return finish(bio, link_of(bio).below->write({&piece, 1}), BIO_FLAGS_WRITE, moved);
}

int read(BIO* bio, char* data, std::size_t size, std::size_t* moved) {
  const IoResult result = link_of(bio).below->read({reinterpret_cast<std::uint8_t*>(data), size});
  link_of(bio).drained = result.blocked;
  return finish(bio, result, BIO_FLAGS_READ, moved);
}

long control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return link_of(bio).read_error == Errc::connection_closed ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_method() {
  BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mqboard transport");
  BIO_meth_set_write_ex(method, write);
  BIO_meth_set_read_ex(method, read);
  BIO_meth_set_ctrl(method, control);
  return method;
}

}  // namespace

BIO* make_transport_bio(BioLink* link) {
  static BIO_METHOD* const method = make_method();
  BIO* const bio = BIO_new(method);
  BIO_set_data(bio, link);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace mqboard::mqtt
