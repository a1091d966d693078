# Debian packages from the install components: mqboard (cli), mqboard-board (board), libmqboard-mqtt-dev (mqtt_dev).
# scripts/package makes them, tests/package/test_packages.py installs and removes them.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "mqboard maintainers <mqboard@localhost>")
set(CPACK_PACKAGE_HOMEPAGE_URL "")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENTS_ALL cli mqtt_dev)
if(MQB_BUILD_BOARD)
  list(APPEND CPACK_COMPONENTS_ALL board)
endif()

set(CPACK_DEBIAN_CLI_PACKAGE_NAME mqboard)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_CLI_DESCRIPTION "operate MicroPython boards over MQTT
The operator's command line: run code on boards, move files, read logs, update firmware.")

set(CPACK_DEBIAN_BOARD_PACKAGE_NAME mqboard-board)
set(CPACK_DEBIAN_BOARD_PACKAGE_SECTION embedded)
# Makes the user mqboard.
set(CPACK_DEBIAN_BOARD_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_BOARD_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_LIST_DIR}/deb/postinst;${CMAKE_CURRENT_LIST_DIR}/deb/prerm;${CMAKE_CURRENT_LIST_DIR}/deb/postrm")
set(CPACK_DEBIAN_BOARD_DESCRIPTION "turn this machine into a managed MicroPython board
The firmware mqboardd with MicroPython 1.27, its bootloader mqboot and the systemd unit that runs them.")

set(CPACK_DEBIAN_MQTT_DEV_PACKAGE_NAME libmqboard-mqtt-dev)
set(CPACK_DEBIAN_MQTT_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_MQTT_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_MQTT_DEV_PACKAGE_DEPENDS "libboost1.81-dev, libssl-dev")
set(CPACK_DEBIAN_MQTT_DEV_DESCRIPTION "C++ coroutine MQTT client library
Headers and the static library, with CMake and pkg-config files.")

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/mqboard RENAME copyright COMPONENT cli)
install(FILES docs/CLI.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/mqboard COMPONENT cli)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/mqboard-board RENAME copyright COMPONENT board)
install(FILES docs/BOARD.md docs/BOOT.md THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/mqboard-board
        COMPONENT board)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libmqboard-mqtt-dev RENAME copyright COMPONENT mqtt_dev)
include(CPack)
