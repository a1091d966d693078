# libmqboard-mqtt as other projects use it: one static archive of the client and the core it drives, its headers,
# find_package(mqboard) with the target mqboard::mqtt, and mqboard-mqtt.pc. All in the install component mqtt_dev.
include(CMakePackageConfigHelpers)

add_library(mqboard-mqtt STATIC)
add_library(mqboard::mqtt ALIAS mqboard-mqtt)
foreach(room core_base core_mqtt mqtt asio_impl)
  target_sources(mqboard-mqtt PRIVATE $<TARGET_OBJECTS:mqb_${room}>)
endforeach()
set_target_properties(mqboard-mqtt PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME mqtt)
target_include_directories(mqboard-mqtt PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(mqboard-mqtt PUBLIC cxx_std_23)
# As the archive was compiled: a program must see the same Asio. The archive brings its compiled part.
get_target_property(mqb_asio_definitions mqb_asio INTERFACE_COMPILE_DEFINITIONS)
target_compile_definitions(mqboard-mqtt PUBLIC ${mqb_asio_definitions})
target_link_libraries(mqboard-mqtt PUBLIC Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)

set(mqb_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mqboard)
install(TARGETS mqboard-mqtt EXPORT mqboard ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT mqtt_dev)
install(DIRECTORY include/mqboard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT mqtt_dev FILES_MATCHING PATTERN *.hpp)
install(EXPORT mqboard NAMESPACE mqboard:: FILE mqboardTargets.cmake DESTINATION ${mqb_cmake_dir} COMPONENT mqtt_dev)

configure_package_config_file(cmake/mqboardConfig.cmake.in mqboardConfig.cmake INSTALL_DESTINATION ${mqb_cmake_dir}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(mqboardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mqboardConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/mqboardConfigVersion.cmake
        DESTINATION ${mqb_cmake_dir} COMPONENT mqtt_dev)

# The .pc file finds its prefix from its own place, so that an installation may be moved.
set(mqb_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH mqb_pc_prefix /${mqb_pc_dir} /)
list(TRANSFORM mqb_asio_definitions PREPEND -D OUTPUT_VARIABLE mqb_pc_cflags)
list(JOIN mqb_pc_cflags " " mqb_pc_cflags)
configure_file(cmake/mqboard-mqtt.pc.in mqboard-mqtt.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mqboard-mqtt.pc DESTINATION ${mqb_pc_dir} COMPONENT mqtt_dev)
