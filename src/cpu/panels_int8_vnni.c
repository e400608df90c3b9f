#define INT8_NAME int8_avx_vnni
#define IN_WORD 4
#include "cpu/panels_int8_impl.h"
