import { Component, type ReactNode } from 'react';
import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';

interface Props {
  /** As a visitor knows the screen. */
  title: string;
  children: ReactNode;
}

/**
 * Keeps a screen's failure to that screen: its script did not arrive, or it threw while it was drawn. Without it React
 * takes the whole page away, the navigation too. Give it the screen as `key`, for another screen to start afresh.
 */
export class ScreenBoundary extends Component<Props, { failure: string | null }> {
  override state: { failure: string | null } = { failure: null };

  static getDerivedStateFromError(error: unknown): { failure: string } {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    const reload = (
      <Button icon="retry" onClick={() => window.location.reload()}>
        Reload the page
      </Button>
    );
    return (
      <Notice tone="danger" role="alert" actions={reload}>
        <p>
          {this.props.title} could not be shown: {failure}
        </p>
        <p>What is stored stays. The other screens still work; reload the page to try this one again.</p>
      </Notice>
    );
  }
}
