// The checks of the general recurrence and of tanh, parts of elman_check.
#pragma once

bool general_agrees(const char* isa, bool quick);
bool tanh_agrees(const char* isa);
