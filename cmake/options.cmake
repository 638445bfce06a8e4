# Flags every target of ours gets; nothing here depends on a library.
add_library(svdlab_options INTERFACE)
target_include_directories(svdlab_options INTERFACE "${CMAKE_SOURCE_DIR}")
# Contraction to FMA would make the plain-loop references depend on the compiler's mood.
target_compile_options(svdlab_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off>)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(SVDLAB_SANITIZE)
  target_compile_options(svdlab_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  # The checks themselves confuse this warning.
  target_compile_options(svdlab_options INTERFACE -Wno-maybe-uninitialized)
  target_link_options(svdlab_options INTERFACE -fsanitize=address,undefined)
endif()
