import type { ModelSource } from '../../engine/api.ts';
import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';
import { hostWords } from '../models/foreign-model.ts';
import { useApp } from '../state/hooks.ts';
import { titleOf } from '../state/model-slice.ts';

interface Props {
  /** Address of the model whose shape a link asks for. */
  id: string;
  source: ModelSource;
  onRefuse(): void;
}

/** Asks before anything of a stranger's model is fetched; until then the picture is cut as for NVLM-1.0. */
export function ForeignShape({ id, source, onRefuse }: Props) {
  const agree = useApp((state) => state.agreeToModel);
  return (
    <Notice
      tone="warn"
      role="status"
      actions={
        <>
          <Button size="small" onClick={() => agree(id)}>
            Fetch and use them
          </Button>
          <Button size="small" variant="quiet" onClick={onRefuse}>
            Stay with NVLM-1.0
          </Button>
        </>
      }
    >
      This link asks for the shape of {titleOf(id)} ({id}). Nothing of it was fetched: its configuration, tokenizer and chat template would
      come from {hostWords(source)} and be read in this tab. Until then, NVLM-1.0 is shown.
    </Notice>
  );
}
