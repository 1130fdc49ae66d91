#include "api_io.h"
