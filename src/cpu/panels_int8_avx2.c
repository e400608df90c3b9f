#define INT8_NAME int8_avx2
#define IN_WORD 2
#include "cpu/panels_int8_impl.h"
