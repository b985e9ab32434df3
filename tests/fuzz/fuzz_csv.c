/* CSV: any bytes give the same rows however they are cut, and good rows are within bounds. */
#include "tests/fuzz/reader_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_reader(KIN_FORMAT_CSV, data, size);
    return 0;
}
