/*
 * Where ld.so's _dl_debug_state arrives, an empty function that it calls for debuggers' sake.
 * Compilers know that an empty function changes no register, and may count on it.
 */
	.macro	save register
	push	%\register
	.cfi_adjust_cfa_offset 8
	.endm
	.macro	restore register
	pop	%\register
	.cfi_adjust_cfa_offset -8
	.endm

	.text
	.globl	weft__entry_loaded
	.hidden	weft__entry_loaded
	.type	weft__entry_loaded, @function
	.p2align 4
weft__entry_loaded:
	.cfi_startproc
	save	rax
	save	rcx
	save	rdx
	save	rsi
	save	rdi
	save	r8
	save	r9
	save	r10
	save	r11
	call	weft__objects_changed
	restore	r11
	restore	r10
	restore	r9
	restore	r8
	restore	rdi
	restore	rsi
	restore	rdx
	restore	rcx
	restore	rax
	ret
	.cfi_endproc
	.size	weft__entry_loaded, . - weft__entry_loaded

	.section .note.GNU-stack, "", @progbits
