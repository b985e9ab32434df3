# Warnings, hardening and sanitizers, for every target of the project.
add_compile_options(
  -Wall -Wextra $<$<BOOL:${KIN_WERROR}>:-Werror> -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wcast-qual -Wcast-align -Wswitch-enum
  -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
# results must not depend on whether a processor has fused multiply-add
add_compile_options(-ffp-contract=off)
add_compile_definitions(_GNU_SOURCE)
# where gcc knows that a copy is short, but not how short, it takes `rep movsb`, which takes ten times
# as long to begin as memcpy takes to end
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-mstringop-strategy=libcall)
endif()

set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
    -fstack-clash-protection -fcf-protection=full)
  add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie> -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(KIN_SANITIZE)
  add_compile_options(-fsanitize=${KIN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KIN_SANITIZE})
  # gcc 12 guesses null dereferences and missing values wrongly in code that a sanitizer instrumented
  add_compile_options(-Wno-null-dereference $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(KIN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(KIN_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
