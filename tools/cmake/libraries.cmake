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
kin_import(microhttpd libmicrohttpd)

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

# kin_embed(NAME FILE SYMBOL): the bytes of a file as `const unsigned char SYMBOL[]` and
# `const size_t SYMBOL_bytes` of a library
function(kin_embed name file symbol)
  set(from ${CMAKE_SOURCE_DIR}/${file})
  set(to ${CMAKE_BINARY_DIR}/embedded/${symbol}.c)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${from})
  file(READ ${from} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  file(CONFIGURE OUTPUT ${to} CONTENT
    "#include <stddef.h>\nextern const unsigned char ${symbol}[];\nextern const size_t ${symbol}_bytes;\nconst unsigned char ${symbol}[] = {\n${bytes}};\nconst size_t ${symbol}_bytes = sizeof ${symbol};\n")
  target_sources(${name} PRIVATE ${to})
endfunction()
