# The same library as one WebAssembly module, for the pages (web/): one thread, vectors of 16 bytes, no JavaScript around it.
# emcmake cmake -S . -B build/wasm && cmake --build build/wasm
set(exported
  malloc free elman_abi elman_layout elman_isa elman_forward elman_backward elman_step elman_cross_entropy elman_sample
  elman_decoder_new elman_decoder_free elman_decoder_step elman_decoder_generate
  elman_general_forward elman_general_backward elman_normal)
list(TRANSFORM exported PREPEND _)
list(JOIN exported "," exported)

add_executable(elman_wasm ${portable_sources} runtime/one_thread.cpp)
target_include_directories(elman_wasm PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(elman_wasm PRIVATE
  -std=c++17 -O3 -msimd128 -fwasm-exceptions -fvisibility=hidden -fno-math-errno -fno-trapping-math -ffp-contract=fast
  -Wall -Wextra -Wno-unused-private-field)
target_link_options(elman_wasm PRIVATE
  -O3 -fwasm-exceptions -sSTANDALONE_WASM -sALLOW_MEMORY_GROWTH -sWASM_BIGINT --no-entry -sEXPORTED_FUNCTIONS=${exported})
set_target_properties(elman_wasm PROPERTIES OUTPUT_NAME elman SUFFIX .wasm)
