# Run by the build as a script: writes ${OUT}, leaving it alone when nothing changed.
execute_process(COMMAND git -C "${SOURCE}" rev-parse --short=12 HEAD OUTPUT_VARIABLE commit RESULT_VARIABLE rc
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT rc EQUAL 0)
  set(commit "unknown")
else()
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no
                  OUTPUT_VARIABLE changes ERROR_QUIET)
  if(NOT changes STREQUAL "")
    string(APPEND commit "+changes")
  endif()
endif()
string(STRIP "${FLAGS}" FLAGS)
set(text "#include \"experiments/study/build_info.h\"

const svdlab::BuildInfo& svdlab::build_info() {
  static const BuildInfo info{\"${VERSION}\", \"${commit}\", \"${COMPILER}\", \"${BUILD_TYPE}: ${FLAGS}\", {
    {\"torch\", \"${TORCH}\"}, {\"hdf5\", \"${HDF5}\"}, {\"png\", \"${PNG}\"}, {\"boost\", \"${BOOST}\"},
    {\"eigen\", \"${EIGEN}\"}, {\"yaml-cpp\", \"${YAML}\"}, {\"openssl\", \"${OPENSSL}\"}}};
  return info;
}
")
set(old "")
if(EXISTS "${OUT}")
  file(READ "${OUT}" old)
endif()
if(NOT old STREQUAL text)
  file(WRITE "${OUT}" "${text}")
endif()
