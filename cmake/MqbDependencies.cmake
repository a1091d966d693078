# Third-party libraries, all Debian 12 packages. Why each is here: docs/ARCHITECTURE.md, licences: THIRD_PARTY.md.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)  # header-only use: Asio, Beast
find_package(OpenSSL 3 REQUIRED)
if(MQB_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()

# Boost.Asio as every room uses it.
add_library(mqb_asio INTERFACE)
target_link_libraries(mqb_asio INTERFACE Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
target_compile_definitions(mqb_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
                                              BOOST_BEAST_SEPARATE_COMPILATION)
