/** Where a picture stands in a user message (LLaVA's convention). */
export const IMAGE_PLACEHOLDER = '<image>';
