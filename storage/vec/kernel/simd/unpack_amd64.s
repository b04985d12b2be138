#include "textflag.h"

// func unpack32(out, in *uint32, width uint64, base uint32)
//
// NB: VMOVQ, not MOVQ: mixing in the old form costs a hundred cycles each time.
//
// 64 steps of one 64-byte line of out each. DX counts bits of a lane.
TEXT ·unpack32(SB), NOSPLIT, $0-28
	MOVQ         out+0(FP), DI
	MOVQ         in+8(FP), SI
	MOVQ         width+16(FP), BX
	MOVL         base+24(FP), AX
	VMOVD        AX, X6
	VPBROADCASTD X6, Y6
	MOVQ         $1, AX
	MOVQ         BX, CX
	SHLQ         CX, AX
	DECQ         AX
	VMOVQ        AX, X7
	VPBROADCASTD X7, Y7
	XORQ         DX, DX
	MOVQ         $64, R9

loop32:
	MOVQ    DX, R10
	SHRQ    $5, R10
	SHLQ    $6, R10
	ADDQ    SI, R10
	MOVQ    DX, R11
	ANDQ    $31, R11
	VMOVQ   R11, X0
	VMOVDQU (R10), Y1
	VMOVDQU 32(R10), Y2
	VPSRLD  X0, Y1, Y1
	VPSRLD  X0, Y2, Y2
	LEAQ    (R11)(BX*1), R12
	CMPQ    R12, $32
	JLS     store32
	MOVQ    $32, R13
	SUBQ    R11, R13
	VMOVQ   R13, X3
	VMOVDQU 64(R10), Y4
	VMOVDQU 96(R10), Y5
	VPSLLD  X3, Y4, Y4
	VPSLLD  X3, Y5, Y5
	VPOR    Y4, Y1, Y1
	VPOR    Y5, Y2, Y2

store32:
	VPAND   Y7, Y1, Y1
	VPAND   Y7, Y2, Y2
	VPADDD  Y6, Y1, Y1
	VPADDD  Y6, Y2, Y2
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	ADDQ    $64, DI
	ADDQ    BX, DX
	DECQ    R9
	JNZ     loop32
	VZEROUPPER
	RET

// func unpack64(out, in *uint64, width, base uint64)
TEXT ·unpack64(SB), NOSPLIT, $0-32
	MOVQ         out+0(FP), DI
	MOVQ         in+8(FP), SI
	MOVQ         width+16(FP), BX
	MOVQ         base+24(FP), AX
	VMOVQ        AX, X6
	VPBROADCASTQ X6, Y6
	MOVQ         $64, CX
	SUBQ         BX, CX
	MOVQ         $-1, AX
	SHRQ         CX, AX
	VMOVQ        AX, X7
	VPBROADCASTQ X7, Y7
	XORQ         DX, DX
	MOVQ         $128, R9

loop64:
	MOVQ    DX, R10
	SHRQ    $6, R10
	SHLQ    $6, R10
	ADDQ    SI, R10
	MOVQ    DX, R11
	ANDQ    $63, R11
	VMOVQ   R11, X0
	VMOVDQU (R10), Y1
	VMOVDQU 32(R10), Y2
	VPSRLQ  X0, Y1, Y1
	VPSRLQ  X0, Y2, Y2
	LEAQ    (R11)(BX*1), R12
	CMPQ    R12, $64
	JLS     store64
	MOVQ    $64, R13
	SUBQ    R11, R13
	VMOVQ   R13, X3
	VMOVDQU 64(R10), Y4
	VMOVDQU 96(R10), Y5
	VPSLLQ  X3, Y4, Y4
	VPSLLQ  X3, Y5, Y5
	VPOR    Y4, Y1, Y1
	VPOR    Y5, Y2, Y2

store64:
	VPAND   Y7, Y1, Y1
	VPAND   Y7, Y2, Y2
	VPADDQ  Y6, Y1, Y1
	VPADDQ  Y6, Y2, Y2
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	ADDQ    $64, DI
	ADDQ    BX, DX
	DECQ    R9
	JNZ     loop64
	VZEROUPPER
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() (a uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, a+0(FP)
	RET
