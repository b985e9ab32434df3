# libkindred: the C library for gateways, shared and static, with the files that CMake and pkg-config
# find it by. It is made of the sources it needs, once more: only what client/kindred.h declares may be
# seen from outside, and what is inside must not clash with what a program has.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/client/lib/*.c ${CMAKE_SOURCE_DIR}/common/env/net/*.c)
list(FILTER sources EXCLUDE REGEX "/rep\\.c$") # the listening side of others
foreach(part common/base/hash common/base/mem common/base/status common/env/env proto/message_decode
    proto/message_encode proto/schema)
  list(APPEND sources ${CMAKE_SOURCE_DIR}/${part}.c)
endforeach()
add_library(kindred_client_objects OBJECT ${sources})
target_include_directories(kindred_client_objects PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_options(kindred_client_objects PRIVATE -fvisibility=hidden)
target_compile_definitions(kindred_client_objects PRIVATE KIN_VERSION="${PROJECT_VERSION}")
target_link_libraries(kindred_client_objects PRIVATE sodium)

add_library(kindred_client SHARED $<TARGET_OBJECTS:kindred_client_objects>)
set_target_properties(kindred_client PROPERTIES OUTPUT_NAME kindred EXPORT_NAME kindred
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} PUBLIC_HEADER client/kindred.h)
target_link_libraries(kindred_client PRIVATE nng sodium msgpackc xxhash z Threads::Threads)
target_include_directories(kindred_client INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
if(NOT KIN_SANITIZE)
  target_link_options(kindred_client PRIVATE -Wl,-z,defs)
endif()

# The archive holds one object, in which all other names are local.
set(one ${CMAKE_CURRENT_BINARY_DIR}/libkindred.o)
set(archive ${CMAKE_CURRENT_BINARY_DIR}/libkindred.a)
add_custom_command(OUTPUT ${archive}
  COMMAND ${CMAKE_LINKER} -r -o ${one} $<TARGET_OBJECTS:kindred_client_objects>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${one}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
  COMMAND ${CMAKE_AR} rcs ${archive} ${one}
  DEPENDS kindred_client_objects $<TARGET_OBJECTS:kindred_client_objects>
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(kindred_client_static ALL DEPENDS ${archive})

# ---- installation ----
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kindred)
install(TARGETS kindred_client EXPORT kindred-targets COMPONENT library
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(EXPORT kindred-targets NAMESPACE kindred:: DESTINATION ${cmake_dir} COMPONENT library)
include(CMakePackageConfigHelpers)
configure_package_config_file(tools/cmake/kindred-config.cmake.in kindred-config.cmake
  INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file(kindred-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kindred-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/kindred-config-version.cmake
  DESTINATION ${cmake_dir} COMPONENT library)
get_filename_component(msgpack_name ${KIN_MSGPACK} NAME_WE)
string(REGEX REPLACE "^lib" "" KIN_MSGPACK_NAME ${msgpack_name})
# relative, so that the tree may be moved
file(RELATIVE_PATH KIN_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(tools/cmake/kindred.pc.in kindred.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kindred.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
