#pragma once
// Precompiled: parsing ATen costs every translation unit seconds otherwise.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>
