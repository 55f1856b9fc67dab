#include "textflag.h"

// vm: see vm_linux_amd64.s. R19 is the operation; a system call takes its number in
// R8, its arguments in R0 to R5, and keeps every register but R0.
TEXT ·vm(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $0x600040, R19
loop:
	MOVD 0(R19), R8
	MOVD 8(R19), R0
	CMN  $1, R8
	BEQ  store
	MOVD 16(R19), R1
	MOVD 24(R19), R2
	MOVD 32(R19), R3
	MOVD 40(R19), R4
	MOVD 48(R19), R5
	SVC
store:
	MOVD 56(R19), R9
	CBZ  R9, equal
	MOVD R0, (R9)
equal:
	MOVD 72(R19), R9
	CBZ  R9, failed
	MOVD 64(R19), R10
	CMP  R10, R0
	BNE  failed
	MOVD R9, R19
	B    loop
failed:
	MOVD 80(R19), R9
	CBZ  R9, next
	MOVD $-4095, R10
	CMP  R10, R0
	BLO  next
	MOVD $0x600008, R11
	MOVD R19, 0(R11)
	MOVD R0, 8(R11)
	MOVD R9, R19
	B    loop
next:
	MOVD 88(R19), R19
	B    loop
	// The end mark that code() looks for.
	WORD $0x626d614c
	WORD $0x444e4521

// func vmAddress() uintptr
TEXT ·vmAddress(SB), NOSPLIT, $0-8
	MOVD $·vm(SB), R0
	MOVD R0, ret+0(FP)
	RET
