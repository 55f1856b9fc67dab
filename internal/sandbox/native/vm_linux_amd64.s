#include "textflag.h"

// vm is the whole program of a sandbox's process 1: it runs a script of
// system calls (see script_linux.go for the form of an operation). Its bytes
// are copied into an ELF file of their own and never run inside lamb. It is
// position independent, calls nothing, uses no stack and no Go runtime, so
// that a child made with CLONE_VM may run it beside its parent.
//
// R12 is the operation, addresses are those of layout_linux.go.
TEXT ·vm(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ $0x600040, R12
loop:
	MOVQ 0(R12), AX
	MOVQ 8(R12), DI
	CMPQ AX, $-1
	JEQ  constant
	MOVQ 16(R12), SI
	MOVQ 24(R12), DX
	MOVQ 32(R12), R10
	MOVQ 40(R12), R8
	MOVQ 48(R12), R9
	SYSCALL
	JMP  store
constant:
	MOVQ DI, AX
store:
	MOVQ 56(R12), BX
	TESTQ BX, BX
	JEQ  equal
	MOVQ AX, 0(BX)
equal:
	MOVQ 72(R12), BX
	TESTQ BX, BX
	JEQ  failed
	CMPQ AX, 64(R12)
	JNE  failed
	MOVQ BX, R12
	JMP  loop
failed:
	MOVQ 80(R12), BX
	TESTQ BX, BX
	JEQ  next
	CMPQ AX, $-4095
	JCS  next
	MOVQ $0x600008, R13
	MOVQ R12, 0(R13)
	MOVQ AX, 8(R13)
	MOVQ BX, R12
	JMP  loop
next:
	MOVQ 88(R12), R12
	JMP  loop
	// The end mark that code() looks for.
	LONG $0x626d614c
	LONG $0x444e4521

// func vmAddress() uintptr
TEXT ·vmAddress(SB), NOSPLIT, $0-8
	LEAQ ·vm(SB), AX
	MOVQ AX, ret+0(FP)
	RET
