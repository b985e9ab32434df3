# Debian's packages, as imported names, and kin_library().
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(kin_import name pkg) # a pkg-config module as one linkable name
  pkg_check_modules(PC_${name} REQUIRED IMPORTED_TARGET ${pkg})
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE PkgConfig::PC_${name})
endfunction()
kin_import(sodium libsodium)
kin_import(uv libuv)
kin_import(fyaml libfyaml)
kin_import(jansson jansson)

# msgpack's C library was renamed: libmsgpackc until version 5 (Debian 12), libmsgpack-c since
find_library(KIN_MSGPACK NAMES msgpack-c msgpackc REQUIRED)
add_library(msgpackc INTERFACE)
target_link_libraries(msgpackc INTERFACE ${KIN_MSGPACK})

find_library(KIN_NNG NAMES nng REQUIRED)
add_library(nng INTERFACE)
target_link_libraries(nng INTERFACE ${KIN_NNG})

# kin_library(NAME FOLDER [EXCLUDE file...] LINK lib...): a static library of all .c files of a folder
function(kin_library name folder)
  cmake_parse_arguments(ARG "" "" "LINK;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
  foreach(file ${ARG_EXCLUDE})
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${folder}/${file})
  endforeach()
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_LINK} Threads::Threads)
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} Threads::Threads)
endfunction()
